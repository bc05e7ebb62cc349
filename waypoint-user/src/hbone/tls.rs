//! TLS of HBONE's connections: both sides prove who they are.
//!
//! Certificates and what is asked of the peer's are `identity`'s.

use std::sync::Arc;

use rustls::CertificateError;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

pub use self::ahead::Ahead;
use super::{Error, limits::HANDSHAKE_TIMEOUT};
use crate::{
    identity::{Credentials, TlsPeer, dialled_name},
    mesh::spiffe::SpiffeId,
};

mod ahead;

/// Agrees on TLS with a client; who it is, it has proved.
pub async fn accept<T>(
    io: T,
    credentials: &Credentials,
) -> Result<(server::TlsStream<Ahead<T>>, TlsPeer), Error>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let acceptor = TlsAcceptor::from(credentials.server_config());
    let agreed = timeout(HANDSHAKE_TIMEOUT, acceptor.accept(Ahead::new(io))).await;
    let stream = agreed.map_err(|_| late())?.map_err(|cause| failed(&cause))?;
    let peer = TlsPeer::of(stream.get_ref().1.peer_certificates()).ok_or_else(nobody)?;
    Ok((stream, peer))
}

/// Agrees on TLS with a server, which must be one of those expected.
pub async fn connect<T>(
    io: T,
    credentials: &Credentials,
    expected: &[Arc<SpiffeId>],
) -> Result<(client::TlsStream<Ahead<T>>, TlsPeer), Error>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let connector = TlsConnector::from(credentials.client_config(expected));
    let agreed =
        timeout(HANDSHAKE_TIMEOUT, connector.connect(dialled_name(), Ahead::new(io))).await;
    let stream = agreed.map_err(|_| late())?.map_err(|cause| failed(&cause))?;
    let peer = TlsPeer::of(stream.get_ref().1.peer_certificates()).ok_or_else(nobody)?;
    Ok((stream, peer))
}

fn late() -> Error {
    Error::Tls("the peer did not finish the handshake in time".to_owned())
}

fn nobody() -> Error {
    Error::Identity("the peer's certificate names no workload".to_owned())
}

/// Tells a peer that is not who it should be from one with whom TLS fails.
fn failed(cause: &std::io::Error) -> Error {
    let inner = cause.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName
            | CertificateError::NotValidForNameContext { .. }
            | CertificateError::ApplicationVerificationFailure
            | CertificateError::Other(_),
        )) => Error::Identity(cause.to_string()),
        _ => Error::Tls(cause.to_string()),
    }
}

#[cfg(test)]
mod tests;
