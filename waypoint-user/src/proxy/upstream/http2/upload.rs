//! The body of a request on its way to an endpoint by HTTP/2.
//!
//! **Invariant:** where the client waits to be told to send the body, nothing of it is asked for
//! before the endpoint wants it, or has had its time to say so.
//! **Invariant:** no more of it is taken than the endpoint has room for, but for one piece.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{CONTENT_LENGTH, EXPECT},
    request::Parts,
};
use hyper::body::Body as _;
use tokio::time::{Sleep, sleep};

use crate::{
    http2::Sending,
    proxy::{http::RequestBody, limits::CONTINUE_PATIENCE, respond::Fault},
};

/// The body of a request on its way to an endpoint.
pub(super) struct Upload {
    body: RequestBody,
    sending: Sending,
    /// What was taken of the body and not sent.
    piece: Bytes,
    /// Whether the body was asked for anything.
    begun: bool,
    /// Whether there is nothing left to send, or nobody who takes it.
    ended: bool,
    /// Until when the endpoint may say whether it wants the body.
    leave: Option<Pin<Box<Sleep>>>,
}

impl Upload {
    /// The body of a request whose head was sent, and with it the end where there is no body.
    pub(super) fn new(sending: Sending, body: RequestBody) -> Self {
        let ended = body.is_empty();
        let leave = body.awaits_leave().then(|| Box::pin(sleep(CONTINUE_PATIENCE)));
        Self { body, sending, piece: Bytes::new(), begun: false, ended, leave }
    }

    /// Whether the endpoint has not said yet that it wants the body.
    pub(super) fn awaits_leave(&self) -> bool {
        self.leave.is_some()
    }

    /// The endpoint wants the body.
    pub(super) fn give_leave(&mut self) {
        self.leave = None;
    }

    /// Passes on what the endpoint says before its final response.
    pub(super) fn hint(&self, status: StatusCode, headers: HeaderMap) {
        self.body.hint(status, headers);
    }

    /// Whether anything was taken from the body.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Whether there is nothing left to send, or nobody who takes it.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// The body, for another try.
    pub(super) fn into_body(self) -> RequestBody {
        self.body
    }

    /// Our half of the stream, of which nothing more is sent.
    pub(super) fn into_sending(self) -> Sending {
        self.sending
    }

    /// Sends to the end. A client that breaks off breaks the response, too.
    pub(super) async fn run(mut self) {
        let ended = poll_fn(|cx| self.poll(cx)).await;
        tracing::trace!(?ended, "the rest of a request was sent");
    }

    /// Sends on. An error is the client's; an endpoint that takes no more may still answer.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        while !self.ended {
            if let Poll::Ready(cause) = self.sending.poll_reset(cx) {
                tracing::debug!(%cause, "an endpoint takes no more of a request");
                self.ended = true;
                break;
            }
            if let Some(leave) = &mut self.leave {
                ready!(leave.as_mut().poll(cx));
                self.leave = None;
            }
            // Only what can be sent is taken; what is reset meanwhile is seen above.
            let Ok(_) = ready!(self.sending.poll_room(cx)) else { continue };
            ready!(self.poll_piece(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Sends the next piece, as far as there is room.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        if self.piece.is_empty() {
            self.begun = true;
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                None => {
                    self.end(None);
                    return Poll::Ready(Ok(()));
                }
                Some(Err(_)) => return Poll::Ready(Err(Fault::ClientGone)),
                Some(Ok(frame)) => frame,
            };
            match frame.into_data() {
                Ok(piece) => self.piece = piece,
                Err(frame) => {
                    self.end(frame.trailers_ref());
                    return Poll::Ready(Ok(()));
                }
            }
        }
        let is_last = self.body.is_end_stream();
        if is_last || !self.piece.is_empty() {
            // What broke the stream is seen when more of it is sent, or answered.
            let sent = self.sending.send(&mut self.piece, is_last);
            self.ended = is_last && self.piece.is_empty();
            tracing::trace!(?sent, "a part of a request was sent");
        }
        Poll::Ready(Ok(()))
    }

    /// Ends the request.
    fn end(&mut self, trailers: Option<&HeaderMap>) {
        let ended = match trailers {
            Some(trailers) => self.sending.trailers(trailers),
            None => self.sending.end(),
        };
        self.ended = true;
        tracing::trace!(?ended, "a request was sent");
    }
}

/// Tells in the head how long the body is where that is known, and that the client waits for leave
/// to send it.
pub(super) fn tell_framing(head: &mut Parts, body: &RequestBody) {
    if body.is_empty() {
        // Some servers wait for a length where a method usually has a body
        // (RFC 9110 section 8.6).
        if [Method::POST, Method::PUT, Method::PATCH].contains(&head.method) {
            head.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        return;
    }
    if let Some(length) = body.size_hint().exact() {
        head.headers.insert(CONTENT_LENGTH, length.into());
    }
    if body.awaits_leave() {
        head.headers.insert(EXPECT, HeaderValue::from_static("100-continue"));
    }
}
