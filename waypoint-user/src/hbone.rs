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
mod pool;
mod stream;
pub mod tls;

pub use self::{
    accept::{Incoming, Refusal, serve},
    connect::{Authority, Baggage, Connect, Forwarded},
    pool::{Io, Key, Pool},
    stream::Stream,
};

/// The port of HBONE.
pub const PORT: u16 = 15008;

/// How connections are kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Streams at a time on one connection that we open.
    pub streams_max: usize,
    /// Streams at a time on one connection that we accept.
    pub accepted_streams_max: u32,
}

/// Why a tunnel was not made, or broke.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The other side refused the stream.
    #[error("http status: {0}")]
    Refused(u16),
    /// No connection was made.
    #[error("{0}")]
    Connect(String),
    /// TLS was not agreed upon, or the peer is not who it should be.
    #[error("tls: {0}")]
    Tls(String),
    /// HTTP/2 broke.
    #[error("http2: {0}")]
    Http2(String),
}
