//! Accepting connections of the service and reading requests from them.

use std::{convert::Infallible, sync::Arc, time::Duration};

use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::OwnedSemaphorePermit,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    answer::Answering,
    limits::{FIELDS_BYTES_MAX, HANDSHAKE_PATIENCE, KEEPALIVE, Limits, STREAMS_MAX},
    server_certificate::Source,
};
use crate::telemetry::task;

/// Accepts until shutdown, then waits for what is being answered.
pub(super) async fn accept(
    listener: TcpListener,
    certificate: Source,
    answering: Arc<Answering>,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let open = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let socket = match accepted {
            Ok((socket, _)) => socket,
            Err(cause) => {
                tracing::warn!(%cause, "accepting a client of the certificate authority");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(place) = limits.connection() else { continue };
        let acceptor = match certificate.config() {
            Ok(config) => TlsAcceptor::from(config),
            Err(cause) => {
                tracing::error!(%cause, "the certificate authority has no certificate itself");
                continue;
            }
        };
        let (answering, limits) = (Arc::clone(&answering), limits.clone());
        let connection = Connection { acceptor, answering, limits, shutdown: shutdown.clone() };
        task::spawn("ca-connection", open.track_future(connection.run(socket, place)));
    }
    open.close();
    if timeout(DRAIN_PATIENCE, open.wait()).await.is_err() {
        tracing::warn!(open = open.len(), "clients of the certificate authority are cut off");
    }
}

/// One connection.
struct Connection {
    acceptor: TlsAcceptor,
    answering: Arc<Answering>,
    limits: Limits,
    shutdown: CancellationToken,
}

impl Connection {
    async fn run(self, socket: TcpStream, _place: OwnedSemaphorePermit) {
        let peer = socket.peer_addr().ok();
        let stream = match timeout(HANDSHAKE_PATIENCE, self.acceptor.accept(socket)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(cause)) => return tracing::info!(?peer, %cause, "no TLS with a client"),
            Err(_) => return tracing::info!(?peer, "a client did not finish its handshake"),
        };
        let (answering, limits) = (self.answering, self.limits);
        let service = service_fn(move |request: http::Request<Incoming>| {
            let (answering, limits) = (Arc::clone(&answering), limits.clone());
            async move { Ok::<_, Infallible>(answering.respond(request, &limits).await) }
        });
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(FIELDS_BYTES_MAX)
            .keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(cause) = ended {
            tracing::debug!(?peer, %cause, "a client's connection broke");
        }
    }
}

/// How long to wait after accepting failed, which it does while there are no descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long requests may take after shutdown.
const DRAIN_PATIENCE: Duration = Duration::from_secs(5);
