//! HBONE: TCP connections as streams of HTTP/2 CONNECT over mutual TLS, wire-compatible with Istio
//! (ztunnel `src/proxy/h2`).
//!
//! It chooses nothing: whom to dial, whom to admit and what a stream carries is its callers'.
//!
//! **Invariant:** bytes that one side does not read are bounded by the windows of its streams and
//! connection; nothing is buffered beyond them.
//! **Invariant:** the end of one direction ends only that direction; a reset ends both.

mod accept;
mod connect;
mod keep;
mod limits;
mod live;
mod pool;
pub mod proxy_protocol;
mod settings;
mod stream;
#[cfg(test)]
mod tests;
pub mod tls;
pub mod xfcc;

pub use self::{
    accept::{Incoming, Refusal, serve},
    connect::{Authority, Baggage, Connect, Forwarded, trace},
    live::{Live, Watched},
    pool::{Io, Key, Pool},
    settings::Settings,
    stream::Stream,
};

use crate::http2::{Broken, Failed};

/// The port of HBONE.
pub const PORT: u16 = 15008;

/// Why a tunnel was not made, or broke.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The other side refused the stream.
    #[error("http status: {0}")]
    Refused(u16),
    /// No connection was made.
    #[error("{0}")]
    Connect(String),
    /// TLS was not agreed upon.
    #[error("tls: {0}")]
    Tls(String),
    /// The peer proved an identity, but not one that it should have.
    #[error("identity: {0}")]
    Identity(String),
    /// HTTP/2 broke.
    #[error("http2: {0}")]
    Http2(String),
    /// The peer does not answer.
    #[error("http2: the peer left a ping unanswered; see whether it and the network are up")]
    Dead,
    /// Nobody wants connections of this kind any more.
    #[error("the connection was closed because its peer is gone or its policy changed")]
    Evicted,
    /// One connection more than there may be.
    #[error("all connections of hbone are in use; add workers or instances")]
    Full,
}

impl From<Broken> for Error {
    fn from(broken: Broken) -> Self {
        Self::Http2(broken.to_string())
    }
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        Self::Http2(failed.to_string())
    }
}
