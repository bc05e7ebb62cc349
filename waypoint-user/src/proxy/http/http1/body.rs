//! The body of a client's request.

use std::{
    cell::RefCell,
    rc::Rc,
    task::{Context, Poll},
};

use http::{HeaderMap, StatusCode, Version};
use hyper::body::{Bytes, Frame, SizeHint};

use crate::http1::{self, Decoder, Framing, Piece, ResponseHead};

use super::{
    sending::write_head,
    wire::{NoRequest, Wire},
};

/// The body of a client's request; reading it reads the connection.
pub(in crate::proxy) struct Body {
    wire: Rc<RefCell<Wire>>,
    decoder: Decoder,
}

impl Body {
    /// The body of the request whose head was taken last.
    pub(super) fn new(wire: &Rc<RefCell<Wire>>, request: &http1::Request) -> Self {
        let decoder = Decoder::new(request.framing);
        let takes_hints = request.version == Version::HTTP_11;
        wire.borrow_mut().hand_out(&decoder, (request.awaits_leave, takes_hints));
        Self { wire: Rc::clone(wire), decoder }
    }

    /// The next piece.
    pub(in crate::proxy) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if self.decoder.is_done() {
            return Poll::Ready(None);
        }
        let mut wire = self.wire.borrow_mut();
        wire.poll_piece(&mut self.decoder, cx).map(|piece| match piece {
            Ok(Piece::Data(bytes)) => Some(Ok(Frame::data(bytes))),
            Ok(Piece::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            Ok(Piece::End) => None,
            Err(cause) => Some(Err(Broken(cause))),
        })
    }

    /// Whether nothing comes any more.
    pub(in crate::proxy) fn is_end_stream(&self) -> bool {
        self.decoder.is_done()
    }

    /// Whether the client waits to be told to send it.
    pub(in crate::proxy) fn awaits_leave(&self) -> bool {
        self.wire.borrow().awaits_leave()
    }

    /// Tells the client what comes before its final response.
    pub(in crate::proxy) fn hint(&self, status: StatusCode, headers: &HeaderMap) {
        let mut wire = self.wire.borrow_mut();
        if wire.takes_hints() {
            let (version, framing) = (Version::HTTP_11, Framing::None);
            let connection = None;
            write_head(
                &ResponseHead { version, status, headers, framing, connection, date: "" },
                &mut wire,
            );
        }
    }

    /// How much comes, where that is known.
    pub(in crate::proxy) fn size_hint(&self) -> SizeHint {
        self.decoder.left().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if !self.decoder.is_done()
            && let Ok(mut wire) = self.wire.try_borrow_mut()
        {
            wire.take_back(self.decoder);
        }
    }
}

/// A body that broke.
#[derive(Debug, thiserror::Error)]
#[error("the body of the request broke: {0}")]
pub(in crate::proxy) struct Broken(NoRequest);

impl Broken {
    /// Whether the client sent what is no body, rather than less of it.
    pub(in crate::proxy) fn is_malformed(&self) -> bool {
        matches!(self.0, NoRequest::Malformed(_))
    }
}
