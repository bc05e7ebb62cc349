//! The body of an endpoint's response by HTTP/2.
//!
//! **Invariant:** a request whose response ended first goes on; one whose response is given up is
//! given up with it.

use std::{
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    http2::{Broken, Piece, Receiving, Sending},
    telemetry::task,
};

use super::{Http2, upload::Upload};

/// The body of an endpoint's response.
pub(in crate::proxy) struct Body {
    receiving: Receiving,
    rest: Rest,
}

/// What is left of the request.
enum Rest {
    Nothing,
    /// It is being sent.
    Sent(AbortOnDropHandle<()>),
    /// The endpoint does not want it; that it does not come is told when the response has ended.
    Unwanted(#[expect(dead_code, reason = "dropping it tells the endpoint")] Sending),
}

impl Body {
    /// The body of a response to a request that may still have to be sent.
    pub(super) fn new(receiving: Receiving, upload: Upload, connection: &Rc<Http2>) -> Self {
        let rest = if upload.has_ended() {
            Rest::Nothing
        } else if upload.awaits_leave() {
            // Who answers without the body wants none.
            Rest::Unwanted(upload.into_sending())
        } else {
            let connection = Rc::clone(connection);
            let sent = task::spawn_local("upload", async move {
                upload.run().await;
                drop(connection);
            });
            Rest::Sent(AbortOnDropHandle::new(sent))
        };
        Self { receiving, rest }
    }

    /// The body of a response that refuses what the stream was opened for.
    pub(super) fn refused(receiving: Receiving, sending: Sending) -> Self {
        Self { receiving, rest: Rest::Unwanted(sending) }
    }

    /// The next piece.
    pub(in crate::proxy) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.receiving.poll_piece(cx).map_ok(|piece| match piece {
            Piece::Data(bytes) => Frame::data(bytes),
            Piece::Trailers(trailers) => Frame::trailers(trailers),
        })
    }

    /// Whether nothing comes any more.
    pub(in crate::proxy) fn is_end_stream(&self) -> bool {
        self.receiving.is_end()
    }

    /// How much comes, where that is known.
    pub(in crate::proxy) fn size_hint(&self) -> SizeHint {
        self.receiving.left().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if self.receiving.is_end()
            && let Rest::Sent(task) = std::mem::replace(&mut self.rest, Rest::Nothing)
        {
            drop(task.detach());
        }
    }
}
