//! What decisions may know of a connection and of a request.
//!
//! **Invariant:** no HTTP library's type appears here, so that a codec can be replaced without
//! touching a decision.

use std::{borrow::Cow, net::SocketAddr, sync::Arc};

use super::workload::Workload;

/// Who opened a connection, as far as it is known.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address, as the kernel saw it.
    pub address: SocketAddr,
    /// The workload that the kernel says it is.
    pub workload: Option<Arc<Workload>>,
}

/// The head of an HTTP request.
pub trait RequestHead {
    /// The method, as it was sent.
    fn method(&self) -> &str;
    /// `http` or `https`.
    fn scheme(&self) -> &str;
    /// Host and, if there is one, port.
    fn authority(&self) -> &str;
    /// The path without its query; begins with `/`, or is `*`.
    fn path(&self) -> &str;
    /// The query without its `?`.
    fn query(&self) -> Option<&str>;
    /// The values of a header field, joined by `,` when there are several (RFC 9110 section 5.3);
    /// `None` when absent or not text. The name is in lower case.
    fn header(&self, name: &str) -> Option<Cow<'_, str>>;
}

/// What the kernel says about where a captured connection came from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origin {
    /// A pod of this node, by name.
    Pod(super::object::ObjectName),
    /// The data path's own probe; close it at once.
    Probe,
    /// Nothing that is known now.
    Unknown,
}

#[cfg(test)]
pub(crate) mod sample;
