//! Dials endpoints and speaks HTTP/2 with them.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    pin::Pin,
    rc::Rc,
};

use hyper::client::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    proxy::{
        http::Local,
        limits::{
            HEADER_BYTES_MAX, HTTP1_BUFFER_BYTES, HTTP2_CONNECTION_WINDOW_BYTES,
            HTTP2_STREAM_WINDOW_BYTES,
        },
        respond::Fault,
        way::Way,
        worker::Worker,
    },
    telemetry::task,
};

use super::{
    Http2,
    told::{STREAMS_UNTOLD, Told},
};

/// A new HTTP/2 connection.
pub(super) async fn dial_http2(way: Way, worker: &Worker) -> Result<Http2, Fault> {
    let stream = way.dial(worker).await?;
    let local = stream.local_addr();
    let handshake = http2::Builder::new(Local)
        .timer(TokioTimer::new())
        .initial_stream_window_size(HTTP2_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(HTTP2_CONNECTION_WINDOW_BYTES)
        .initial_max_send_streams(STREAMS_UNTOLD)
        .max_send_buf_size(HTTP1_BUFFER_BYTES)
        .max_header_list_size(header_list_bytes())
        .handshake(TokioIo::new(stream));
    let (sender, mut connection) = handshake.await.map_err(|_| Fault::UpstreamClosed)?;
    let told = Rc::new(Told::default());
    let heard = Rc::clone(&told);
    let task = task::spawn_local("upstream http2", async move {
        let driven = poll_fn(|cx| {
            let ended = Pin::new(&mut connection).poll(cx);
            let changes = connection.is_extended_connect_protocol_enabled();
            heard.hear(connection.current_max_send_streams(), changes, cx);
            ended
        });
        let driven = driven.await;
        heard.end();
        if let Err(cause) = driven {
            tracing::debug!(%cause, "a connection to an endpoint broke");
        }
    });
    Ok(Http2 {
        sender,
        local,
        streams: Cell::new(0),
        told,
        idle_since: Cell::new(Instant::now()),
        held: None,
        _task: AbortOnDropHandle::new(task),
    })
}

/// The limit of header blocks, as HTTP/2 has it.
fn header_list_bytes() -> u32 {
    u32::try_from(HEADER_BYTES_MAX).unwrap_or(u32::MAX)
}
