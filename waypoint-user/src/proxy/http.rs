//! HTTP: connections from clients, and the life of a request on them.
//!
//! The codec of HTTP/1 is ours and that of HTTP/2 hyper's; how a message is framed is decided here,
//! and what leaves is written from the parsed model.
//!
//! **Invariant:** what frames a message or holds for one hop is never forwarded, only made anew.

use std::{convert::Infallible, future::Future, pin::pin, rc::Rc};

use http::{Request, StatusCode};
use hyper::{
    body::{Bytes, Incoming},
    rt::Executor,
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};

use crate::telemetry::task;

pub use self::fields::edit as edit_fields;
pub(super) use self::{
    body::RequestBody,
    forwarded::Forwarded,
    grpc_web::GrpcWeb,
    http1::serve_http1,
    mirror::{MirrorCounts, Mirrors},
};
use self::{rewind::Rewind, streams::Streams};
use super::{
    connection::Connection,
    limits::{
        HEADER_BYTES_MAX, HTTP1_BUFFER_BYTES, HTTP2_CONNECTION_WINDOW_BYTES,
        HTTP2_ERROR_RESETS_MAX, HTTP2_PENDING_RESETS_MAX, HTTP2_STREAM_WINDOW_BYTES,
        HTTP2_STREAMS_MAX,
    },
    record::Record,
    respond::Fault,
    stream::Stream,
};

mod auth;
mod body;
mod check;
mod client_body;
mod deadline;
mod exchange;
mod extended_connect;
mod fields;
mod forward;
mod forwarded;
mod grpc_web;
mod hashed;
mod hedge;
mod http1;
mod idle;
mod mirror;
mod outgoing;
mod patience;
mod plan;
mod reply;
mod restraint;
mod returning;
mod rewind;
mod session;
mod streams;
mod tape;
mod tries;
mod upgrade;

/// Serves the HTTP/2 requests of a connection.
pub(super) async fn serve_http2(connection: Rc<Connection>, stream: Stream, first: Bytes) {
    let of_request = Rc::clone(&connection);
    let streams = Streams::default();
    let of_streams = streams.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let answering = extended_connect::answer(Rc::clone(&of_request), request);
        let streams = of_streams.clone();
        async move { Ok::<_, Infallible>(answering.await.map(|body| streams.watch(body))) }
    });
    let stream = Rewind::new(stream, first);
    let serving = http2::Builder::new(streams)
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        .initial_stream_window_size(HTTP2_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(HTTP2_CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(HTTP1_BUFFER_BYTES)
        .max_header_list_size(u32::try_from(HEADER_BYTES_MAX).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(HTTP2_PENDING_RESETS_MAX)
        .max_local_error_reset_streams(HTTP2_ERROR_RESETS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = pin!(serving);
    let served = tokio::select! {
        // The codec comes first, because it closes a connection on which it has seen nothing yet.
        biased;
        served = serving.as_mut() => served,
        () = connection.worker.drain.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(cause) = served {
        tell_broken(&connection, &cause);
    }
}

/// Tells of a connection that the codec gave up, where that was the client's doing.
fn tell_broken(connection: &Rc<Connection>, cause: &hyper::Error) {
    tracing::debug!(remote = %connection.remote, %cause, "a connection from a client broke");
    if cause.is_timeout() {
        connection.worker.limits.header_timeout.hit();
    }
    if cause.is_parse() {
        tell_malformed(connection, cause.is_parse_too_large());
    }
}

/// Tells of what is no request, or too much of one; returns how it is answered.
fn tell_malformed(connection: &Rc<Connection>, too_much: bool) -> StatusCode {
    if too_much {
        connection.worker.limits.header_bytes.hit();
    }
    let status = if too_much {
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
    } else {
        StatusCode::BAD_REQUEST
    };
    let view = connection.worker.view();
    let target = connection.target(&view);
    let mut record = Record::new(connection, connection.peer(&view), target.as_deref(), None);
    record.status = status.as_u16();
    record.fail(Fault::BadRequest("malformed"));
    record.finish();
    status
}

/// Runs hyper's tasks on the worker's own thread.
#[derive(Clone, Copy, Debug)]
pub(super) struct Local;

impl<F> Executor<F> for Local
where
    F: Future + 'static,
    F::Output: 'static,
{
    fn execute(&self, future: F) {
        task::spawn_local("http2 stream", future);
    }
}
