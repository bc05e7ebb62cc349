//! One TCP connection of a pod, as the kernel of its node saw it.
//!
//! It does not say who the ends are or which way the connection went; a Snapshot does.

use std::{net::SocketAddr, time::Duration};

/// What the kernel tells of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Flow {
    /// Whether it was established or has ended.
    pub stage: Stage,
    /// The pod's end.
    pub local: SocketAddr,
    /// The other end, as the pod knows it.
    pub remote: SocketAddr,
    /// Whether the pod opened it.
    pub initiated: bool,
    /// What tells it from every other connection of the node.
    pub cookie: u64,
    /// From its establishment on.
    pub duration: Duration,
    /// Bytes that the other end acknowledged.
    pub sent: u64,
    /// Bytes that came from the other end.
    pub received: u64,
    /// Smoothed round-trip time.
    pub round_trip: Duration,
    /// Segments that were sent again.
    pub retransmissions: u32,
}

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// It was established.
    Opened,
    /// It has ended.
    Closed,
}
