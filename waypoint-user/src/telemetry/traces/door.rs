//! Connections to a collector, in plain TCP or by TLS.
//!
//! **Invariant:** where TLS is asked for, nothing is sent to a collector that does not prove to be
//! the one that is named.

use std::{fmt, io, path::PathBuf, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::{
    Error,
    endpoint::{Endpoint, Protocol},
};

/// Where connections are opened.
#[derive(Clone, Debug)]
pub(super) struct Door {
    host: String,
    port: u16,
    /// How it proves who it is, where it has to.
    tls: Option<Tls>,
}

/// Whom to believe, and about whom.
#[derive(Clone, Debug)]
struct Tls {
    name: ServerName<'static>,
    protocol: Protocol,
    roots: Roots,
}

/// Whom to believe.
#[derive(Clone, Debug)]
enum Roots {
    /// Those in a file, as they are when a connection is opened.
    File(PathBuf),
    /// Those of the system, as they were at the start.
    System(Arc<ClientConfig>),
}

/// A connection.
pub(super) trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

impl Door {
    /// The door of a collector; a file of roots counts where TLS is asked for.
    pub(super) fn of(
        endpoint: &Endpoint,
        protocol: Protocol,
        roots: Option<PathBuf>,
    ) -> Result<Self, Error> {
        let (host, port) = (endpoint.host.clone(), endpoint.port());
        if !endpoint.is_tls() {
            return Ok(Self { host, port, tls: None });
        }
        let name = ServerName::try_from(host.clone());
        let name = name.map_err(|_| Error::Endpoint(endpoint.to_string()))?;
        let roots = match roots {
            Some(path) => {
                from_file(&path, protocol)?;
                Roots::File(path)
            }
            None => Roots::System(of_system(protocol)?),
        };
        Ok(Self { host, port, tls: Some(Tls { name, protocol, roots }) })
    }

    /// Opens a connection.
    pub(super) async fn open(&self) -> io::Result<Box<dyn Connection>> {
        let socket = TcpStream::connect((self.host.as_str(), self.port)).await?;
        socket.set_nodelay(true)?;
        let Some(Tls { name, protocol, roots }) = &self.tls else { return Ok(Box::new(socket)) };
        let config = match roots {
            Roots::File(path) => from_file(path, *protocol).map_err(io::Error::other)?,
            Roots::System(config) => Arc::clone(config),
        };
        let stream = TlsConnector::from(config).connect(name.clone(), socket).await?;
        Ok(Box::new(stream))
    }
}

/// Who is believed that the roots in a file say so of.
fn from_file(path: &PathBuf, protocol: Protocol) -> Result<Arc<ClientConfig>, Error> {
    let wrong = |cause: &dyn fmt::Display| Error::Roots(path.clone(), cause.to_string());
    let all = CertificateDer::pem_file_iter(path).map_err(|cause| wrong(&cause))?;
    let mut roots = RootCertStore::empty();
    for one in all {
        roots.add(one.map_err(|cause| wrong(&cause))?).map_err(|cause| wrong(&cause))?;
    }
    if roots.is_empty() {
        return Err(wrong(&"there is no certificate in it"));
    }
    config(roots, protocol).map_err(|cause| wrong(&cause))
}

/// Who is believed that the system's roots say so of.
fn of_system(protocol: Protocol) -> Result<Arc<ClientConfig>, Error> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for cause in &found.errors {
        tracing::warn!(%cause, "some of the system's roots cannot be read");
    }
    let (_, unread) = roots.add_parsable_certificates(found.certs);
    if unread > 0 {
        tracing::debug!(unread, "some of the system's roots are none that is understood");
    }
    if roots.is_empty() {
        return Err(Error::NoRoots);
    }
    config(roots, protocol).map_err(|_| Error::NoRoots)
}

fn config(roots: RootCertStore, protocol: Protocol) -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let spoken: &[u8] = match protocol {
        Protocol::Grpc => b"h2",
        Protocol::Http => b"http/1.1",
    };
    config.alpn_protocols = vec![spoken.to_vec()];
    Ok(Arc::new(config))
}
