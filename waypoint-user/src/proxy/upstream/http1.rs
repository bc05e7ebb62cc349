//! HTTP/1 connections to endpoints.
//!
//! Whoever sends a request drives the connection: there is no task between the two, but for a
//! request that is still being sent when its response has begun.
//!
//! **Invariant:** a connection carries another request only when all of the last one was sent, and
//! all of its response was taken and nothing came after it.

use std::{
    cell::RefCell,
    future::poll_fn,
    net::SocketAddr,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use http::{Method, Response, StatusCode, request::Parts};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    http1::{self, Decoder},
    proxy::{
        http::RequestBody, respond::Fault, stream::Stream, view::Held, way::Way, worker::Worker,
    },
    telemetry::task,
};

use super::Unanswered;

pub(in crate::proxy) use body::Body;
use upload::Upload;
use wire::{Part, Wire, is_interim};

mod body;
mod upload;
mod wire;

/// An HTTP/1 connection.
pub(in crate::proxy) struct Http1 {
    /// Our address on it.
    pub(in crate::proxy) local: Option<SocketAddr>,
    pub(super) way: Way,
    pub(super) idle_since: Instant,
    wire: Rc<RefCell<Wire>>,
    /// Whether it carried a request before.
    reused: bool,
    /// Sends what is left of a request.
    upload: Option<AbortOnDropHandle<()>>,
    /// Counts it, where connections are counted.
    pub(super) held: Option<Held>,
}

impl Http1 {
    /// A new connection.
    pub(in crate::proxy) async fn dial(
        way: Way,
        worker: &Worker,
        held: Option<Held>,
    ) -> Result<Self, Fault> {
        // Boxed, because most requests find a connection.
        let stream = Box::pin(way.dial(worker)).await?;
        let (local, idle_since) = (stream.local_addr(), Instant::now());
        let wire = Rc::new(RefCell::new(Wire::new(stream)));
        Ok(Self { local, way, idle_since, wire, reused: false, upload: None, held })
    }

    /// Sends a request and waits for the head of its response.
    pub(in crate::proxy) async fn send(
        &mut self,
        head: &Parts,
        body: RequestBody,
    ) -> Result<Response<Body>, Unanswered> {
        let to_head = head.method == Method::HEAD;
        let repeatable = body.is_empty() && is_idempotent(&head.method);
        let mut upload = Upload::begin(head, body, &mut self.wire.borrow_mut());
        match poll_fn(|cx| self.poll_answered(&mut upload, to_head, cx)).await {
            Ok(answer) => {
                self.go_on(upload);
                let decoder = Decoder::new(answer.framing);
                let mut response = Response::new(Body::new(Rc::clone(&self.wire), decoder));
                *response.status_mut() = answer.status;
                *response.headers_mut() = answer.headers;
                Ok(response)
            }
            Err(fault) => {
                let wire = self.wire.borrow();
                let silent = wire.taken == Part::Nothing;
                let unsent = wire.sent == Part::Nothing && !upload.has_begun();
                let died = self.reused && silent && fault == Fault::UpstreamClosed;
                let again = died && (unsent || repeatable);
                Err(Unanswered { fault, unsent: again.then(|| upload.into_body()) })
            }
        }
    }

    /// Sends on, and looks for the head of the response.
    fn poll_answered(
        &self,
        upload: &mut Upload,
        to_head: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<http1::Response, Fault>> {
        let mut wire = self.wire.borrow_mut();
        loop {
            if let Poll::Ready(Err(fault)) = upload.poll(&mut wire, cx) {
                return Poll::Ready(Err(fault));
            }
            let head = ready!(wire.poll_head(to_head, cx))?;
            match head.status {
                StatusCode::CONTINUE => upload.give_leave(),
                status if is_interim(status) => upload.hint(status, head.headers),
                _ => return Poll::Ready(Ok(head)),
            }
        }
    }

    /// Goes on with a request whose response has begun.
    fn go_on(&mut self, upload: Upload) {
        // Who answers without the body wants none, and may not take it for another request.
        if upload.awaits_leave() {
            return;
        }
        if !upload.has_ended(&self.wire.borrow()) {
            let task = task::spawn_local("upload", upload.run(Rc::clone(&self.wire)));
            self.upload = Some(AbortOnDropHandle::new(task));
        }
    }

    /// Whether it can carry another request.
    pub(super) fn is_free(&self) -> bool {
        let mut wire = self.wire.borrow_mut();
        wire.is_free() && wire.poll_closed(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    /// Notes that it waits for another request.
    pub(super) fn rest(&mut self) {
        self.idle_since = Instant::now();
        self.reused = true;
        self.upload = None;
        self.wire.borrow_mut().rest();
    }

    /// Takes the stream out, with what came already, once it changed its protocol.
    pub(in crate::proxy) fn take_stream(&self) -> Option<(Stream, Bytes)> {
        self.wire.borrow_mut().take()
    }
}

/// Whether a method does the same when it is processed twice (RFC 9110 section 9.2.2).
fn is_idempotent(method: &Method) -> bool {
    method.is_idempotent() && *method != Method::CONNECT
}
