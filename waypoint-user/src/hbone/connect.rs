//! The head of a CONNECT: where a stream goes, and what is told of where it comes from.
//!
//! It judges nothing: what a peer claims is believed by nobody before the caller said so.
//!
//! **Invariant:** a field that is malformed or given twice is as if it were not there; only the
//! authority must be valid.

mod authority;
mod baggage;
mod forwarded;
mod head;
pub mod trace;

use std::{net::SocketAddr, sync::Arc};

pub(super) use self::head::{read, write};
pub use self::{authority::Authority, baggage::Baggage, forwarded::Forwarded};
use crate::mesh::spiffe::SpiffeId;

/// What opens a stream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Connect {
    /// Where it goes.
    pub authority: Authority,
    /// `forwarded`: the client, and the Service that it addressed.
    pub forwarded: Option<Forwarded>,
    /// `baggage`: what the client's node says of it.
    pub baggage: Baggage,
    /// `traceparent`, as it came.
    pub traceparent: Option<String>,
    /// `waypoint-client`: the identity of the client in whose name the stream is opened. Whoever
    /// reads it must know whether the peer may speak for others.
    pub client: Option<Arc<SpiffeId>>,
    /// `waypoint-source`: who opens it, where no TLS proves that. It means something only where the
    /// operating system vouches for the peer.
    pub source: Option<Arc<SpiffeId>>,
    /// `x-istio-source`: the kind of proxy that opens it, `waypoint` or `gateway`.
    pub via: Option<String>,
}

impl Connect {
    /// To an authority, with nothing else told.
    pub fn to(authority: Authority) -> Self {
        Self {
            authority,
            forwarded: None,
            baggage: Baggage::default(),
            traceparent: None,
            client: None,
            source: None,
            via: None,
        }
    }

    /// To an address, with nothing else told.
    pub fn to_address(address: SocketAddr) -> Self {
        Self::to(Authority::Address(address))
    }
}

#[cfg(test)]
mod tests;
