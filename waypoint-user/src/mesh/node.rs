//! A node: where workloads run.
//!
//! It does not say which workloads those are; they name their node.

use std::net::IpAddr;

use super::object::ObjectName;

/// A Kubernetes Node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Node {
    /// Its name.
    pub name: ObjectName,
    /// Its own addresses (`InternalIP`).
    pub addresses: Vec<IpAddr>,
    /// Its region; empty when that is not known.
    pub region: String,
    /// Its zone; empty when that is not known.
    pub zone: String,
}
