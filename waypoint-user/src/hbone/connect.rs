//! The head of a CONNECT: where a stream goes, and what is told of where it comes from.

use std::{net::SocketAddr, sync::Arc};

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
    /// The identity of the client in whose name the stream is opened. Whoever reads it must know
    /// whether the peer may speak for others.
    pub client: Option<Arc<SpiffeId>>,
}

/// The target of a CONNECT.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Authority {
    /// An address.
    Address(SocketAddr),
    /// A Service's host name.
    Host(String, u16),
}

/// The field `forwarded` (RFC 7239), as ztunnel writes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Forwarded {
    /// `for`: the client.
    pub client: SocketAddr,
    /// `host`: the Service that it addressed.
    pub host: Option<String>,
}

/// The field `baggage` (W3C), as ztunnel writes it (`src/baggage.rs`).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Baggage {
    /// `k8s.cluster.name`.
    pub cluster: Option<String>,
    /// `k8s.namespace.name`.
    pub namespace: Option<String>,
    /// `k8s.<kind>.name`: kind (`deployment`, `cronjob`, `pod`, `job`) and name.
    pub workload: Option<(String, String)>,
    /// `service.name`.
    pub service: Option<String>,
    /// `service.version`.
    pub revision: Option<String>,
    /// `cloud.region`.
    pub region: Option<String>,
    /// `cloud.availability_zone`.
    pub zone: Option<String>,
}
