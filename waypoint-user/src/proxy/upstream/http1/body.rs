//! The body of an endpoint's response.

use std::{
    cell::RefCell,
    io,
    rc::Rc,
    task::{Context, Poll},
};

use hyper::body::{Bytes, Frame, SizeHint};

use crate::http1::{Decoder, Piece};

use super::wire::Wire;

/// The body of an endpoint's response.
pub(in crate::proxy) struct Body {
    wire: Rc<RefCell<Wire>>,
    decoder: Decoder,
}

impl Body {
    pub(super) fn new(wire: Rc<RefCell<Wire>>, decoder: Decoder) -> Self {
        Self { wire, decoder }
    }

    /// The next piece.
    pub(in crate::proxy) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let mut wire = self.wire.borrow_mut();
        wire.poll_piece(&mut self.decoder, cx).map(|piece| match piece {
            Ok(Piece::Data(bytes)) => Some(Ok(Frame::data(bytes))),
            Ok(Piece::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            Ok(Piece::End) => None,
            Err(cause) => Some(Err(cause)),
        })
    }

    /// Whether nothing comes any more.
    pub(in crate::proxy) fn is_end_stream(&self) -> bool {
        self.decoder.is_done()
    }

    /// How much comes, where that is known.
    pub(in crate::proxy) fn size_hint(&self) -> SizeHint {
        self.decoder.left().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
