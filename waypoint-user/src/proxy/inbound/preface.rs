//! What goes before the bytes of a stream to a waypoint that has its HBONE terminated: a header of
//! PROXY protocol, which tells the client's address and identity and what the client dialled.
//!
//! **Invariant:** the identity is the one that the peer proved, and the address the one that it was
//! seen to come from.

use std::net::SocketAddr;

use crate::{
    hbone::{Connect, proxy_protocol::Told},
    proxy::accept::canonical,
};

use super::Line;

/// The header of a stream. A peer tells the port of its own address, as its connection carries
/// streams of many.
pub(super) fn of(line: &Line, connect: &Connect, destination: SocketAddr) -> Vec<u8> {
    let told = connect.forwarded.as_ref().map(|forwarded| canonical(forwarded.client));
    let told = told.filter(|told| told.ip() == line.remote.ip());
    let identity = Some(line.identity.to_string());
    Told { source: told.unwrap_or(line.remote), destination, identity }.header()
}
