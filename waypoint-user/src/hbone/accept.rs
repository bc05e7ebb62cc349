//! Accepting connections, and the streams on them.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use super::{Connect, Error, Settings, Stream};

/// Serves a connection until it ends; when `drain` is cancelled the peer is told to open no more
/// streams, and it ends with its last one.
pub async fn serve(
    _io: impl AsyncRead + AsyncWrite + Unpin,
    _settings: &Settings,
    _drain: CancellationToken,
    _each: impl FnMut(Incoming),
) -> Result<(), Error> {
    unimplemented!()
}

/// A stream that the peer asks for.
pub struct Incoming {
    /// What it asks for.
    pub connect: Connect,
}

impl Incoming {
    /// Grants it: 200.
    pub fn accept(self) -> Result<Stream, Error> {
        unimplemented!()
    }

    /// Refuses it.
    pub fn refuse(self, _why: Refusal) {
        unimplemented!()
    }
}

/// Why a stream is not granted (ztunnel `src/proxy/inbound.rs`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// It does not say where it goes, or not to us: 400.
    NotHere,
    /// The policies deny it: 401.
    Denied,
    /// The destination is not known or cannot be reached: 503.
    Unavailable,
}
