//! One connection to the certificate service, shared by requests.

use std::{
    fmt, io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::BoxFuture;
use hyper::{
    body::Incoming,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::{
    ClientConfig, RootCertStore, client::Resumption, pki_types::ServerName, version::TLS13,
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;
use tonic::{body::Body, client::GrpcService};

use crate::{
    identity::{
        certificate, crypto,
        files::{self, Followed},
    },
    telemetry::task,
};

/// Where to connect, and whom to believe there.
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) name: ServerName<'static>,
    pub(super) origin: http::Uri,
    pub(super) root: PathBuf,
}

impl Target {
    /// Connects, verified by the roots that are in the file now.
    pub(super) async fn open(&self) -> Result<Channel, Broken> {
        // Watched before it is read, so that nothing is missed in between.
        let root = Followed::new(vec![self.root.clone()]);
        let connector = TlsConnector::from(Arc::new(self.configure()?));
        let connect = async {
            let socket = TcpStream::connect((self.host.as_str(), self.port)).await?;
            socket.set_nodelay(true)?;
            connector.connect(self.name.clone(), socket).await
        };
        let stream = timeout(CONNECT_PATIENCE, connect).await;
        let stream = stream.map_err(|_| Broken::Late)?.map_err(Broken::Connect)?;
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE)
            .handshake(TokioIo::new(stream))
            .await?;
        task::spawn("ca-channel", async move {
            if let Err(cause) = connection.await {
                tracing::debug!(%cause, "the connection to the certificate authority broke");
            }
        });
        Ok(Channel { sender, root: Arc::new(Mutex::new(root)) })
    }

    fn configure(&self) -> Result<ClientConfig, Broken> {
        let unreadable = |cause: &dyn fmt::Display| Broken::Root {
            path: self.root.clone(),
            cause: cause.to_string(),
        };
        let text = files::read(&self.root).map_err(|cause| unreadable(&cause))?;
        let mut roots = RootCertStore::empty();
        for root in certificate::parse_pem(&text).map_err(|cause| unreadable(&cause))? {
            roots.add(root).map_err(|cause| unreadable(&cause))?;
        }
        let mut config = ClientConfig::builder_with_provider(crypto::provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(|cause| unreadable(&cause))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

/// An open connection.
#[derive(Clone)]
pub(super) struct Channel {
    sender: SendRequest<Body>,
    root: Arc<Mutex<Followed>>,
}

impl Channel {
    /// Whether it is open, and the roots it was verified by are still those in the file.
    pub(super) fn is_usable(&self) -> bool {
        let mut root = self.root.lock().unwrap_or_else(PoisonError::into_inner);
        !self.sender.is_closed() && !root.changed()
    }
}

impl GrpcService<Body> for Channel {
    type ResponseBody = Incoming;
    type Error = hyper::Error;
    type Future = BoxFuture<'static, Result<http::Response<Incoming>, hyper::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.sender.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(self.sender.send_request(request))
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("connecting: {0}")]
    Connect(#[source] io::Error),
    #[error("connecting takes longer than {CONNECT_PATIENCE:?}")]
    Late,
    #[error("HTTP/2: {0}")]
    Http(#[from] hyper::Error),
    #[error("the root file {path}: {cause}")]
    Root { path: PathBuf, cause: String },
}

/// How long connecting may take, with the handshake.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// How often the service is asked whether it lives, and how long it may take to say so.
const KEEPALIVE: Duration = Duration::from_secs(10);
