//! Accepting connections, and the streams on them.
//!
//! **Invariant:** what is no CONNECT to a valid authority is answered here and seen by nobody else.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

use http::{HeaderMap, StatusCode};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    Connect, Error, Settings, Stream, connect,
    keep::{Dead, Keeper},
    limits::{CLOSE_TIMEOUT, HANDSHAKE_TIMEOUT},
};
use crate::http2::{Accepted, Carried, Connection, Failed, Reason, Receiving, Sending};

/// Serves a connection until it ends; when `drain` is cancelled the peer is told to open no more
/// streams, and it ends with its last one.
///
/// Dropping the future cuts the connection and resets its streams. That is how a peer that was
/// revoked or that a policy no longer admits is cut: by whoever knows whom it serves.
///
/// `each` is called within this future and must not block: it starts a task.
pub async fn serve(
    io: impl AsyncRead + AsyncWrite + Unpin,
    settings: &Settings,
    drain: CancellationToken,
    mut each: impl FnMut(Incoming),
) -> Result<(), Error> {
    let mut connection = Connection::server(Carried::new(io), settings.accepting());
    // Boxed, so that a connection has no room for them while it is served.
    let beginning = timeout(HANDSHAKE_TIMEOUT, poll_fn(|cx| connection.poll_begin(cx)));
    let late = |_| Error::Http2("the peer did not begin in time".to_owned());
    Box::pin(beginning).await.map_err(late)?;
    let mut keeper = Keeper::new(settings);
    let mut drained = pin!(drain.cancelled());
    let mut drains = false;
    let mut next = async || {
        poll_fn(|cx| {
            if !drains && drained.as_mut().poll(cx).is_ready() {
                drains = true;
                connection.end();
            }
            if let Poll::Ready(accepted) = connection.poll_accept(cx) {
                return Poll::Ready(Ok(accepted));
            }
            keeper.poll(&connection, cx).map(|Dead| Err(Error::Dead))
        })
        .await
    };
    while let Some(accepted) = next().await? {
        if let Some(incoming) = Incoming::read(accepted, settings) {
            each(incoming);
        }
    }
    if let Some(Failed::Protocol(Reason::ENHANCE_YOUR_CALM, _)) = connection.failed() {
        settings.limits.floods.hit();
    }
    let ended = connection.failed().filter(|failed| !failed.is_end());
    Box::pin(connection.close(CLOSE_TIMEOUT)).await;
    ended.map_or(Ok(()), |failed| Err(failed.into()))
}

/// A stream that the peer asks for. Dropping it resets it.
pub struct Incoming {
    /// What it asks for.
    pub connect: Connect,
    reply: Sending,
    body: Receiving,
}

impl Incoming {
    /// Reads the head of a request, and answers it where it is not valid.
    fn read(accepted: Accepted, settings: &Settings) -> Option<Self> {
        let Accepted { head, body, reply } = accepted;
        let Some(head) = head else {
            answer(reply, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
            return None;
        };
        let Some(connect) = connect::read(&head) else {
            settings.limits.bad_requests.hit();
            answer(reply, StatusCode::BAD_REQUEST);
            return None;
        };
        Some(Self { connect, reply, body })
    }

    /// Grants it: 200.
    pub fn accept(mut self) -> Result<Stream, Error> {
        self.reply.respond(StatusCode::OK, &HeaderMap::new(), false)?;
        Ok(Stream::accepted(self.reply, self.body))
    }

    /// Refuses it.
    pub fn refuse(self, why: Refusal) {
        answer(self.reply, why.status());
    }

    /// Waits until the peer gives the stream up, to stop what is done for it before it is granted.
    pub async fn abandoned(&mut self) {
        poll_fn(|cx| self.reply.poll_reset(cx)).await;
    }
}

/// Why a stream is not granted (ztunnel `src/proxy/inbound.rs`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// It does not say where it goes, or not to us: 400.
    NotHere,
    /// The policies deny it: 401.
    Denied,
    /// The destination is not known or cannot be reached: 503.
    Unavailable,
}

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Self::NotHere => StatusCode::BAD_REQUEST,
            Self::Denied => StatusCode::UNAUTHORIZED,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// Answers without granting.
fn answer(mut reply: Sending, status: StatusCode) {
    if let Err(cause) = reply.respond(status, &HeaderMap::new(), true) {
        tracing::debug!(%cause, "a stream was given up before its answer");
    }
}
