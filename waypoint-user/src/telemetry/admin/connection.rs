//! Connections of the admin endpoint.

use std::{convert::Infallible, sync::Arc, time::Duration};

use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::listener::{Listener, Stream};
use crate::telemetry::task;

/// An answer, whole in memory or made as it is read.
pub(super) type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// Accepts until shutdown. Connections that are open then are cut: an answer takes no time.
pub(super) async fn accept(
    listener: Listener,
    answer: impl Fn(&Request<Incoming>) -> Answer + Send + Sync + 'static,
    shutdown: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let answer = Arc::new(answer);
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok(stream) = accepted.inspect_err(|cause| {
            tracing::debug!(%cause, "the admin endpoint could not accept");
        }) else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            continue;
        };
        let (answer, shutdown) = (Arc::clone(&answer), shutdown.clone());
        task::spawn("admin connection", async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = serve(stream, &*answer) => {}
            }
            drop(place);
        });
    }
}

/// Answers the requests of one connection.
async fn serve(stream: Box<dyn Stream>, answer: &impl Fn(&Request<Incoming>) -> Answer) {
    let service = service_fn(|request| {
        let response = answer(&request);
        async move { Ok::<_, Infallible>(response) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(cause) = served {
        tracing::debug!(%cause, "an admin connection broke");
    }
}

/// Connections at a time; more are closed at once.
const CONNECTIONS_MAX: usize = 64;

/// How long a client may take for the head of a request, also the first.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Largest head of a request.
const HEADER_BYTES_MAX: usize = 16 * 1024;

/// How long accepting rests after an error, such as no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
