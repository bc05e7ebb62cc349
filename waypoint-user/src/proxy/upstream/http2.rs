//! HTTP/2 connections to endpoints, each shared by many requests.
//!
//! Whoever sends a request writes its head and its body into what the connection sends next; one
//! task for each connection sends that, and reads what comes for all of them.
//!
//! **Invariant:** a request is given back only if the endpoint did not look at it, and nothing was
//! taken of its body.
//! **Invariant:** a connection ends once the pool and its last request let go of it; what is left
//! of them is still sent, to an endpoint that reads it within [`LINGER_TIMEOUT`].

use std::{cell::Cell, future::poll_fn, net::SocketAddr, rc::Rc, task::Poll};

use http::{Method, Response, StatusCode, request::Parts};
use tokio::time::{Instant, timeout};

use crate::{
    http2::{
        Beat, Broken, Connection, Growth, Io, Limits, Pipe, Question, Receiving, ResponseHead,
        Sender, Sending,
    },
    proxy::{
        framed::Framed,
        http::RequestBody,
        limits::{
            HEADER_BYTES_MAX, HTTP1_BUFFER_BYTES, HTTP2_ERROR_RESETS_MAX, HTTP2_FRAME_BYTES_MAX,
            HTTP2_REACH, HTTP2_STREAM_WINDOW_BYTES, HTTP2_UPSTREAM_STREAMS_MAX,
            HTTP2_UPSTREAM_WINDOW_BYTES, INTERIM_RESPONSES_MAX, LINGER_TIMEOUT, SETTINGS_PATIENCE,
        },
        respond::Fault,
        view::Held,
        way::Way,
        worker::Worker,
    },
    telemetry::{metrics::Limit, task},
};

use super::Unanswered;

pub(in crate::proxy) use body::Body;
use upload::Upload;

mod body;
mod upload;

/// An HTTP/2 connection.
pub(in crate::proxy) struct Http2 {
    /// Our address on it.
    pub(in crate::proxy) local: Option<SocketAddr>,
    sender: Sender,
    /// Requests that have it.
    requests: Cell<usize>,
    pub(super) idle_since: Cell<Instant>,
    /// Counts it, where connections are counted.
    pub(super) held: Option<Held>,
}

impl Http2 {
    /// A new connection, once the endpoint has said what it takes, or has had its time to.
    pub(super) async fn dial(
        way: &Way,
        worker: &Worker,
        held: Option<Held>,
    ) -> Result<Self, Fault> {
        let stream = way.dial(worker).await?;
        stream.break_unacknowledged();
        let local = stream.local_addr();
        let growth = Growing::of(worker);
        Self::begin(Framed::new(stream), growth, (local, held)).await
    }

    /// Begins HTTP/2 on what was dialled.
    async fn begin(
        io: impl Io + 'static,
        growing: Growing,
        (local, held): (Option<SocketAddr>, Option<Held>),
    ) -> Result<Self, Fault> {
        let (connection, sender) = Connection::client(io, LIMITS);
        task::spawn_local("upstream http2", drive(connection, growing));
        if timeout(SETTINGS_PATIENCE, poll_fn(|cx| sender.poll_told(cx))).await.is_err() {
            tracing::debug!("an endpoint does not say what it takes by HTTP/2");
        }
        if !sender.is_open() {
            return Err(sender.broken().map_or(Fault::UpstreamClosed, fault_of));
        }
        let (requests, idle_since) = (Cell::new(0), Cell::new(Instant::now()));
        Ok(Self { local, sender, requests, idle_since, held })
    }

    /// Takes a stream, if there is room for one.
    pub(super) fn stream(self: &Rc<Self>) -> Option<Stream> {
        let most = self.sender.streams_max().clamp(1, HTTP2_UPSTREAM_STREAMS_MAX);
        // Requests whose responses came first may still be sent.
        let taken = self.requests.get().max(self.sender.streams());
        (taken < most && self.is_open() && !self.sender.is_choked()).then(|| {
            self.requests.set(self.requests.get() + 1);
            self.held.iter().for_each(Held::work);
            Stream(Rc::clone(self))
        })
    }

    /// Whether it takes more requests, now or later.
    pub(in crate::proxy) fn is_open(&self) -> bool {
        self.sender.is_open()
    }

    /// Whether nothing is under way on it.
    pub(super) fn is_free(&self) -> bool {
        self.requests.get() == 0 && self.sender.streams() == 0
    }

    /// Whether the endpoint takes changes of protocol (RFC 8441 section 3).
    pub(in crate::proxy) fn takes_changes(&self) -> bool {
        self.sender.takes_changes()
    }

    /// Opens a stream for a request.
    fn ask(
        &self,
        head: &Parts,
        protocol: Option<&str>,
        ends: bool,
    ) -> Result<(Sending, Receiving), Fault> {
        // Without a path, it is what a CONNECT asks for (RFC 9113 section 8.5).
        let is_whole = head.method != Method::CONNECT || protocol.is_some();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let question = Question {
            method: &head.method,
            scheme: is_whole.then(|| head.uri.scheme_str().unwrap_or("http")),
            authority: head.uri.authority().map_or("", |authority| authority.as_str()),
            path: is_whole.then_some(path),
            protocol,
            headers: &head.headers,
        };
        self.sender.ask(&question, ends).map_err(|cause| {
            tracing::debug!(%cause, "a request was not sent to an endpoint");
            Fault::UpstreamRefused
        })
    }
}

/// Has the windows of a connection grow.
struct Growing {
    growth: Growth,
    limit: Limit,
}

impl Growing {
    fn of(worker: &Worker) -> Self {
        let growth = Growth::new(&worker.growth, HTTP2_REACH);
        Self { growth, limit: worker.limits.http2_window_growth.clone() }
    }
}

/// Drives a connection until all let go of it, or it ended, and closes it.
async fn drive(mut connection: Connection<impl Io>, mut growing: Growing) {
    poll_fn(|cx| {
        if connection.poll_drive(cx).is_ready() || connection.is_let_go() {
            return Poll::Ready(());
        }
        if let Beat::Answered { is_short: true, .. } = growing.growth.follow(&connection) {
            growing.limit.hit();
        }
        Poll::Pending
    })
    .await;
    if let Some(cause) = connection.failed() {
        tracing::debug!(%cause, "a connection to an endpoint ended");
    }
    Box::pin(connection.close(LINGER_TIMEOUT)).await;
}

/// One request of a connection; it counts until this is dropped.
pub(in crate::proxy) struct Stream(Rc<Http2>);

impl Stream {
    /// The connection.
    pub(in crate::proxy) fn connection(&self) -> &Http2 {
        &self.0
    }

    /// Sends a request and waits for the head of its response.
    pub(in crate::proxy) async fn send(
        &self,
        head: &mut Parts,
        body: RequestBody,
    ) -> Result<Response<Body>, Unanswered> {
        upload::tell_framing(head, &body);
        let (sending, mut receiving) = match self.0.ask(head, None, body.is_empty()) {
            Ok(halves) => halves,
            Err(fault) => return Err(Unanswered { fault, unsent: Some(body) }),
        };
        let mut upload = Upload::new(sending, body);
        match answered(&mut upload, &mut receiving).await {
            Ok(answer) => Ok(response(answer, Body::new(receiving, upload, &self.0))),
            Err(fault) => {
                let unseen = fault == Fault::UpstreamRefused && !upload.has_begun();
                Err(Unanswered { fault, unsent: unseen.then(|| upload.into_body()) })
            }
        }
    }

    /// Asks for a change to a protocol, or for a tunnel, and waits for the answer; with the stream,
    /// if it is granted.
    pub(in crate::proxy) async fn change(
        &self,
        head: &Parts,
        protocol: Option<&str>,
    ) -> Result<(Response<Option<Body>>, Option<Pipe>), Fault> {
        let (sending, mut receiving) = self.0.ask(head, protocol, false)?;
        let answer = loop {
            let answer = poll_fn(|cx| receiving.poll_response(cx)).await.map_err(fault_of)?;
            if !answer.status.is_informational() {
                break answer;
            }
        };
        let is_granted = match protocol {
            Some(_) => answer.status == StatusCode::OK,
            None => answer.status.is_success(),
        };
        if !is_granted {
            let body = Body::refused(receiving, sending);
            return Ok((response(answer, Some(body)), None));
        }
        Ok((response(answer, None), Some(Pipe::new(receiving, sending))))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let left = self.0.requests.get().saturating_sub(1);
        self.0.requests.set(left);
        self.0.idle_since.set(Instant::now());
        let told = if left == 0 { Held::rest } else { Held::has_room };
        self.0.held.iter().for_each(told);
    }
}

/// Sends on, and waits for the head of the response.
async fn answered(upload: &mut Upload, receiving: &mut Receiving) -> Result<ResponseHead, Fault> {
    let mut interim = 0;
    loop {
        let next = poll_fn(|cx| {
            if let Poll::Ready(Err(fault)) = upload.poll(cx) {
                return Poll::Ready(Err(fault));
            }
            receiving.poll_response(cx).map_err(fault_of)
        });
        let head = next.await?;
        match head.status {
            StatusCode::CONTINUE => upload.give_leave(),
            status if status.is_informational() => upload.hint(status, head.headers),
            _ => return Ok(head),
        }
        interim += 1;
        if interim > INTERIM_RESPONSES_MAX {
            return Err(Fault::UpstreamProtocol);
        }
    }
}

fn response<B>(head: ResponseHead, body: B) -> Response<B> {
    let mut response = Response::new(body);
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    response
}

/// What it means that a stream broke before its response.
fn fault_of(broken: Broken) -> Fault {
    tracing::debug!(cause = %broken, "an endpoint did not answer");
    match broken {
        Broken::Refused => Fault::UpstreamRefused,
        Broken::Malformed(_) => Fault::UpstreamProtocol,
        Broken::Reset(_) | Broken::Dropped | Broken::Closed => Fault::UpstreamClosed,
    }
}

/// What a connection may take. An endpoint opens no streams.
const LIMITS: Limits = Limits {
    streams_max: 0,
    stream_window: HTTP2_STREAM_WINDOW_BYTES,
    connection_window: HTTP2_UPSTREAM_WINDOW_BYTES,
    payload_max: HTTP2_FRAME_BYTES_MAX,
    list_bytes_max: HEADER_BYTES_MAX,
    send_bytes_max: HTTP1_BUFFER_BYTES,
    unseen_resets_max: 0,
    error_resets_max: HTTP2_ERROR_RESETS_MAX,
    early_resets_max: 0,
    grants_changes: false,
};

#[cfg(test)]
mod tests;
