//! What decisions may know of a connection and of a request.
//!
//! **Invariant:** no HTTP library's type appears here, so that a codec can be replaced without
//! touching a decision.

use std::{borrow::Cow, net::SocketAddr, sync::Arc};

use super::{spiffe::SpiffeId, workload::Workload};

/// Who opened a connection, as far as it is known.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address, as the kernel saw it or as a trusted hop before us tells it.
    pub address: SocketAddr,
    /// Its identity, vouched for by the kernel or proven by TLS.
    pub identity: Option<Arc<SpiffeId>>,
    /// The identity of the client in whose name the peer asks; only where the peer is one of the
    /// destination's own waypoints.
    pub client: Option<Arc<SpiffeId>>,
    /// The workload it is, where that is known.
    pub workload: Option<Arc<Workload>>,
}

impl Peer {
    /// A peer of which only the address is known.
    pub fn unknown(address: SocketAddr) -> Self {
        Self { address, identity: None, client: None, workload: None }
    }

    /// The namespace that it is in: its workload's, or that of its identity.
    pub fn namespace(&self) -> Option<&str> {
        let workload = self.workload.as_ref().map(|workload| workload.name.namespace.as_str());
        workload.or_else(|| self.identity.as_ref().map(|identity| identity.namespace.as_str()))
    }
}

/// The head of an HTTP request.
pub trait RequestHead {
    /// The method, as it was sent.
    fn method(&self) -> &str;
    /// `http` or `https`.
    fn scheme(&self) -> &str;
    /// Host and, if there is one, port.
    fn authority(&self) -> &str;
    /// The path without its query; begins with `/`, or is `*`, or of a CONNECT nothing.
    fn path(&self) -> &str;
    /// The query without its `?`.
    fn query(&self) -> Option<&str>;
    /// The values of a header field, joined by `,` when there are several (RFC 9110 section 5.3);
    /// `None` when absent or not text. The name is in lower case.
    fn header(&self, name: &str) -> Option<Cow<'_, str>>;
}

/// Where a connection came from, as the kernel or its tunnel says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origin {
    /// A pod of this node, by name.
    Pod(super::object::ObjectName),
    /// A peer that proved its identity, or whose identity a trusted hop tells.
    Tunnel(Arc<SpiffeId>),
    /// The data path's own probe; close it at once.
    Probe,
    /// Nothing that is known now.
    Unknown,
}

/// The method that asks for a tunnel, and for no path.
pub const CONNECT: &str = "CONNECT";

#[cfg(test)]
pub(crate) mod sample;
