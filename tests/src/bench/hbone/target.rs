//! What clients are told: where to go, as whom, and what to do there.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context, Result};
use bytes::Bytes;
use rustls::ClientConfig;
use tokio::net::TcpStream;

use crate::wire::{Credentials, tls, tunnel};

/// A proxy, or a backend, as clients know it.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// Who it is, and who the clients are; neither where nothing is proven.
    pub(super) proof: Option<(String, Credentials)>,
    /// Where tunnels lead, and whom requests are for.
    pub(super) authority: String,
    /// What the clients do.
    pub(super) shape: Shape,
}

/// What the clients do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// HTTP/1 over so many connections, of TLS where identities are proven.
    Connections(usize),
    /// HTTP/1 in tunnels.
    Tunnels {
        /// So many connections.
        connections: usize,
        /// So many tunnels in each.
        streams: usize,
    },
    /// So many handshakes at a time.
    Handshakes(usize),
}

impl Target {
    /// The clients' side of TLS.
    pub(super) fn config(&self, protocol: &[u8]) -> Result<Arc<ClientConfig>> {
        let (identity, client) = self.proof.as_ref().context("nothing is proven here")?;
        tls::client(client, protocol, identity)
    }

    /// A connection of TCP.
    pub(super) async fn connect(&self) -> Result<TcpStream> {
        let address = self.address;
        let stream =
            TcpStream::connect(address).await.with_context(|| format!("dial {address}"))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// A connection of tunnels.
    pub(super) async fn dial(&self) -> Result<tunnel::Connection> {
        tunnel::Connection::dial(self.connect().await?, self.config(tls::H2)?).await
    }

    /// The request that every client makes.
    pub(super) fn request(&self) -> Bytes {
        let host = &self.authority;
        format!("GET /bench HTTP/1.1\r\nhost: {host}\r\nuser-agent: bench\r\n\r\n").into()
    }
}
