//! Connections that we opened, kept and shared by streams; one pool for each worker.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use tokio::io::{AsyncRead, AsyncWrite};

use super::{Connect, Error, Stream};
use crate::mesh::spiffe::SpiffeId;

/// A connection below HTTP/2.
pub trait Io: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Io for T {}

/// What streams must agree upon to share a connection.
#[derive(Clone, Debug, Eq, PartialEq, Hash)]
pub struct Key {
    /// Who we are.
    pub source: Arc<SpiffeId>,
    /// Who the peer must be: any of these; sorted.
    pub expected: Vec<Arc<SpiffeId>>,
    /// Where we dial from, if that is not any address.
    pub from: Option<std::net::IpAddr>,
    /// What we dial.
    pub to: SocketAddr,
    /// The uid of the workload that has the address.
    pub workload: Arc<str>,
}

/// Connections by key.
#[derive(Default)]
pub struct Pool(());

impl Pool {
    /// Opens a stream on a connection that has room, or on a new one that `dial` makes. Callers that
    /// come while one dials wait for it.
    pub async fn open<D>(&self, _key: &Key, _connect: &Connect, _dial: D) -> Result<Stream, Error>
    where
        D: Future<Output = Result<Box<dyn Io>, Error>> + 'static,
    {
        unimplemented!()
    }

    /// Closes connections whose key is not to be kept; streams on them are reset.
    pub fn evict(&self, _keep: impl Fn(&Key) -> bool) {
        unimplemented!()
    }

    /// Closes connections that had no stream for this long.
    pub fn close_idle(&self, _age: Duration) {
        unimplemented!()
    }
}
