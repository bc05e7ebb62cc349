//! A request on its way to an endpoint.
//!
//! **Invariant:** where the client waits to be told to send the body, nothing of it is asked for
//! before the endpoint wants it, or has had its time to say so.

use std::{
    cell::RefCell,
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use http::{HeaderMap, Method, StatusCode, request::Parts};
use hyper::body::Body as _;
use tokio::time::{Sleep, sleep};

use crate::{
    http1::{Encoder, Framing, write_request},
    proxy::{http::RequestBody, limits::CONTINUE_PATIENCE, respond::Fault},
};

use super::wire::{Part, Wire};

/// A request on its way to an endpoint.
pub(super) struct Upload {
    body: RequestBody,
    encoder: Encoder,
    /// Whether the body was asked for anything.
    begun: bool,
    /// Whether the endpoint takes nothing any more; its response may still come.
    refused: bool,
    /// Until when the endpoint may say whether it wants the body.
    leave: Option<Pin<Box<Sleep>>>,
}

impl Upload {
    /// Puts a request's head in front of what is sent.
    pub(super) fn begin(head: &Parts, body: RequestBody, wire: &mut Wire) -> Self {
        wire.begin();
        let framing = framing(&head.method, &body);
        let awaits_leave = body.awaits_leave();
        let expect = awaits_leave.then_some(("expect", "100-continue"));
        let target = match (head.uri.path_and_query(), head.uri.authority()) {
            (Some(path), _) => path.as_str(),
            (None, Some(authority)) => authority.as_str(),
            (None, None) => "/",
        };
        write_request((&head.method, target), (&head.headers, expect), framing, &mut wire.heads);
        let bytes = wire.heads.split().freeze();
        wire.outlet.queue().push_back(bytes);
        let leave = awaits_leave.then(|| Box::pin(sleep(CONTINUE_PATIENCE)));
        Self { body, encoder: Encoder::new(framing), begun: false, refused: false, leave }
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

    /// The body, for another try.
    pub(super) fn into_body(self) -> RequestBody {
        self.body
    }

    /// Whether there is nothing left to send, or nobody who takes it.
    pub(super) fn has_ended(&self, wire: &Wire) -> bool {
        wire.sent == Part::All || self.refused
    }

    /// Sends to the end. A client that breaks off breaks the response, too.
    pub(super) async fn run(mut self, wire: Rc<RefCell<Wire>>) {
        if poll_fn(|cx| self.poll(&mut wire.borrow_mut(), cx)).await.is_err() {
            wire.borrow_mut().cut();
        }
    }

    /// Sends on. An error is the client's; an endpoint that takes no more may still answer.
    pub(super) fn poll(
        &mut self,
        wire: &mut Wire,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Fault>> {
        while !self.has_ended(wire) {
            // A short body leaves together with the head.
            let more = self.poll_fill(wire, cx)?;
            match wire.poll_send(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if self.encoder.is_ended() => wire.sent = Part::All,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(cause)) => {
                    tracing::debug!(%cause, "an endpoint takes no more of a request");
                    wire.outlet.clear();
                    self.refused = true;
                }
            }
            if more.is_pending() && !self.has_ended(wire) {
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Takes more of the body while there is room.
    fn poll_fill(&mut self, wire: &mut Wire, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        if let Some(leave) = &mut self.leave {
            ready!(leave.as_mut().poll(cx));
            self.leave = None;
        }
        while !self.encoder.is_ended() && wire.outlet.waiting() < WAITING_BYTES_MAX {
            self.begun = true;
            let encoded = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => self.encoder.data(bytes, wire.outlet.queue()),
                    Err(frame) => self.encoder.end(frame.trailers_ref(), wire.outlet.queue()),
                },
                None => self.encoder.end(None, wire.outlet.queue()),
                Some(Err(_)) => return Poll::Ready(Err(Fault::ClientGone)),
            };
            encoded.map_err(|_| Fault::ClientGone)?;
        }
        Poll::Ready(Ok(()))
    }
}

/// How the body of a request is framed.
fn framing(method: &Method, body: &RequestBody) -> Framing {
    if body.is_empty() {
        // Some servers wait for a length where a method usually has a body
        // (RFC 9110 section 8.6).
        let awaits_body = [Method::POST, Method::PUT, Method::PATCH].contains(method);
        return if awaits_body { Framing::Length(0) } else { Framing::None };
    }
    body.size_hint().exact().map_or(Framing::Chunked, Framing::Length)
}

/// Bytes that may wait to be sent before more of the body is taken.
const WAITING_BYTES_MAX: usize = 64 * 1024;
