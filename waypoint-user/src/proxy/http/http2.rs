//! HTTP/2 connections from clients, with a core of our own.
//!
//! One task drives a connection, and each request has one that answers it. The body of a request is
//! read by whoever sends it on, straight from what came on the connection.
//!
//! **Invariant:** a request whose stream is reset is let go at once.
//! **Invariant:** a client that does not read holds a connection that ended for no longer than
//! [`LINGER_TIMEOUT`].
//! **Invariant:** a client without requests that does not go on with what it began, or does not
//! answer when it is told of the end, holds a connection for no longer than [`HEAD_TIMEOUT`].

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::time::{Sleep, sleep};

use crate::{
    http2::{Beat, Connection, Failed, Growth, Limits, Reason},
    proxy::{
        connection,
        framed::Framed,
        limits::{
            HEAD_TIMEOUT, HEADER_BYTES_MAX, HTTP1_BUFFER_BYTES, HTTP2_CONNECTION_WINDOW_BYTES,
            HTTP2_EARLY_RESETS_MAX, HTTP2_ERROR_RESETS_MAX, HTTP2_FRAME_BYTES_MAX,
            HTTP2_PENDING_RESETS_MAX, HTTP2_REACH, HTTP2_STREAM_WINDOW_BYTES, HTTP2_STREAMS_MAX,
            LINGER_TIMEOUT,
        },
        stream::Stream,
    },
    telemetry::task,
};

use self::talk::converse;

mod sending;
mod talk;

/// Serves the requests of a connection.
pub(in crate::proxy) async fn serve_http2(
    connection: Rc<connection::Connection>,
    stream: Stream,
    first: Bytes,
) {
    let mut serving = Connection::server(Framed::new(stream), LIMITS).after(first);
    let mut drain = pin!(connection.worker.drain.cancelled());
    let (mut drains, mut patience) = (false, None);
    let mut growth = Growth::new(&connection.worker.growth, HTTP2_REACH);
    let mut next = async || {
        poll_fn(|cx| {
            let mut accepted = serving.poll_accept(cx);
            if accepted.is_pending() && !drains && drain.as_mut().poll(cx).is_ready() {
                drains = true;
                serving.end();
                accepted = serving.poll_accept(cx);
            }
            if accepted.is_pending()
                && let Beat::Answered { is_short: true, .. } = growth.follow(&serving)
            {
                connection.worker.limits.http2_window_growth.hit();
            }
            let awaits = accepted.is_pending() && serving.awaits_peer();
            if is_late(&mut patience, awaits, cx) {
                connection.worker.limits.header_timeout.hit();
                return Poll::Ready(None);
            }
            accepted
        })
        .await
    };
    while let Some(accepted) = next().await {
        task::spawn_local("http2 stream", converse(Rc::clone(&connection), accepted));
    }
    if let Some(failed) = serving.failed() {
        tell_broken(&connection, failed);
    }
    Box::pin(serving.close(LINGER_TIMEOUT)).await;
}

/// Whether a client has been waited for too long, if it still is.
fn is_late(patience: &mut Option<Pin<Box<Sleep>>>, awaits: bool, cx: &mut Context<'_>) -> bool {
    if !awaits {
        *patience = None;
        return false;
    }
    let sleep = patience.get_or_insert_with(|| Box::pin(sleep(HEAD_TIMEOUT)));
    sleep.as_mut().poll(cx).is_ready()
}

/// Tells of a connection that ended before its time.
fn tell_broken(connection: &connection::Connection, failed: Failed) {
    tracing::debug!(remote = %connection.remote, %failed, "a connection from a client ended");
    if let Failed::Protocol(Reason::ENHANCE_YOUR_CALM, _) = failed {
        connection.worker.limits.http2_floods.hit();
    }
}

/// What a client's connection may take.
const LIMITS: Limits = Limits {
    streams_max: HTTP2_STREAMS_MAX,
    stream_window: HTTP2_STREAM_WINDOW_BYTES,
    connection_window: HTTP2_CONNECTION_WINDOW_BYTES,
    payload_max: HTTP2_FRAME_BYTES_MAX,
    list_bytes_max: HEADER_BYTES_MAX,
    send_bytes_max: HTTP1_BUFFER_BYTES,
    unseen_resets_max: HTTP2_PENDING_RESETS_MAX,
    error_resets_max: HTTP2_ERROR_RESETS_MAX,
    early_resets_max: HTTP2_EARLY_RESETS_MAX,
    grants_changes: true,
};

#[cfg(test)]
mod tests;
