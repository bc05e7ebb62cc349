//! Mutual TLS below HTTP/2.

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use std::sync::Arc;

use super::Error;
use crate::{
    identity::{Credentials, TlsPeer},
    mesh::spiffe::SpiffeId,
};

/// Agrees on TLS as the server.
pub async fn accept(
    _io: TcpStream,
    _credentials: &Credentials,
) -> Result<(impl AsyncRead + AsyncWrite + Unpin + Send + use<>, TlsPeer), Error> {
    unfinished()
}

/// Agrees on TLS as the client; the server must be one of these.
pub async fn connect(
    _io: TcpStream,
    _credentials: &Credentials,
    _expected: &[Arc<SpiffeId>],
) -> Result<(impl AsyncRead + AsyncWrite + Unpin + Send + use<>, TlsPeer), Error> {
    unfinished()
}

fn unfinished() -> Result<(TcpStream, TlsPeer), Error> {
    unimplemented!()
}
