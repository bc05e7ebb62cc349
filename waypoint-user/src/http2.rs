//! HTTP/2 (RFC 9113): frames, streams and flow control, for both sides of a connection.
//!
//! It opens no socket and starts no task. Whoever has a connection drives it, with an [`Io`] that
//! reads and sends its bytes; all of it is of one thread, and its streams share its state.
//!
//! **Invariant:** nothing that a peer sends, or does not read, takes more memory than [`Limits`]
//! say.
//! **Invariant:** what was queued in one turn leaves together, in the order in which it was queued.
//! **Invariant:** a stream that is let go before both its halves ended is reset.
//! **Invariant:** an idle connection holds no buffers.

use bytes::Bytes;
use http::HeaderMap;

pub use self::{
    carried::Carried,
    client::{Question, Sender, Unsent},
    connection::{Connection, Failed, Io},
    growth::{Allowance, Beat, Growth, Reach},
    limits::Limits,
    message::{RequestHead, ResponseHead},
    pipe::Pipe,
    reason::Reason,
    receiving::Receiving,
    sending::Sending,
    server::Accepted,
};

mod budget;
mod carried;
mod client;
mod closing;
mod connection;
mod entry;
mod frame;
mod growth;
pub mod hpack;
mod limits;
mod message;
mod output;
mod peer;
mod pipe;
mod pulse;
mod reason;
mod receiving;
mod sending;
mod server;
mod state;

/// A piece of a body.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Piece {
    /// Bytes; at least one.
    Data(Bytes),
    /// The fields behind it.
    Trailers(HeaderMap),
}

/// Why a stream does not go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Broken {
    /// The peer reset it.
    #[error("the peer reset the stream: {0}")]
    Reset(Reason),
    /// It was reset for what the peer sent on it.
    #[error("the peer sent on the stream what it must not: {0}")]
    Malformed(Reason),
    /// The peer did not look at it, and it may be tried again elsewhere.
    #[error("the peer did not look at the stream")]
    Refused,
    /// We reset it.
    #[error("the stream was reset")]
    Dropped,
    /// The connection ended.
    #[error("the connection ended before the stream did")]
    Closed,
}

#[cfg(test)]
mod tests;
