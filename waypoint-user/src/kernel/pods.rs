//! Finding the host's end of a pod's veth pair, where the programs are attached.
//!
//! It looks and changes nothing.
//!
//! **Invariant:** an interface is returned only if it leads into the very namespace that was asked
//! for.

use std::net::IpAddr;

use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressMessage},
    route::{RouteAttribute, RouteHeader, RouteMessage},
};

use super::{
    blocking,
    netlink::{self, Link, RouteSocket},
    netns::Netns,
};
use crate::mesh::workload::NetnsRef;

/// The host's end of a pod's veth pair.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PodInterface {
    /// Its number.
    pub ifindex: u32,
    /// Its name.
    pub name: String,
    /// What identifies the pod's namespace among all that exist now.
    pub netns_inode: u64,
    /// Hardware addresses as they stand first in a frame of the pod's: its gateway's, its own.
    pub head: [u8; 12],
}

impl PodInterface {
    /// Whether this is the same veth pair, whatever it is named now.
    pub fn is(&self, other: &Self) -> bool {
        (self.ifindex, self.netns_inode) == (other.ifindex, other.netns_inode)
    }
}

/// Why a pod's interface was not found.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The namespace is not there, or is none.
    #[error("network namespace {netns}: {source}")]
    Netns {
        /// The namespace.
        netns: NetnsRef,
        /// Why.
        source: netlink::Error,
    },
    /// The namespace is that of the host: there is no link to attach to.
    #[error(
        "network namespace {netns} is the host's own; a pod of the host's network is not captured"
    )]
    Host {
        /// The namespace.
        netns: NetnsRef,
    },
    /// No link of the namespace has one of the pod's addresses.
    #[error("network namespace {netns} has none of the addresses {addresses:?}")]
    NoAddress {
        /// The namespace.
        netns: NetnsRef,
        /// The pod's addresses.
        addresses: Vec<IpAddr>,
    },
    /// No address was given and the namespace has no default route either.
    #[error("network namespace {netns} has no default route to tell its link by")]
    NoDefaultRoute {
        /// The namespace.
        netns: NetnsRef,
    },
    /// The pod's link is not a veth, or its other end is elsewhere.
    #[error(
        "link {link} of network namespace {netns} is not a veth with its other end on this host"
    )]
    NoPeer {
        /// The namespace.
        netns: NetnsRef,
        /// The link inside it.
        link: String,
    },
}

/// Finds the host's end of the link that has one of the addresses, or that has the default route
/// when no address is given. The host is the namespace of the calling process.
pub async fn locate(netns: &NetnsRef, addresses: &[IpAddr]) -> Result<PodInterface, Error> {
    let search = Search { netns: netns.clone(), addresses: addresses.to_vec() };
    let interrupted = || Error::Netns { netns: netns.clone(), source: netlink::Error::Interrupted };
    blocking::run(move || search.run()).await.ok_or_else(interrupted)?
}

/// Whether a link of the namespace has one of the addresses. It blocks.
pub(super) fn has_one(netns: &Netns, addresses: &[IpAddr]) -> Result<bool, netlink::Error> {
    let mut inside = netns.run(RouteSocket::open)??;
    Ok(link_with(&mut inside, addresses)?.is_some())
}

struct Search {
    netns: NetnsRef,
    addresses: Vec<IpAddr>,
}

impl Search {
    fn run(&self) -> Result<PodInterface, Error> {
        let pod = self.named(Netns::open(&self.netns.path()))?;
        if pod.inode() == self.named(Netns::current())?.inode() {
            return Err(Error::Host { netns: self.netns.clone() });
        }
        let mut inside = self.named(pod.run(RouteSocket::open).and_then(|socket| socket))?;
        let inner = self.inner_link(&mut inside)?;
        let mut host = self.named(RouteSocket::open())?;
        let outer = self
            .named(peer_of(&mut host, &pod, &inner))?
            .ok_or_else(|| Error::NoPeer { netns: self.netns.clone(), link: inner.name.clone() })?;
        let head = self.named(head_of(&mut host, &outer, &inner))?;
        Ok(PodInterface { ifindex: outer.index, name: outer.name, netns_inode: pod.inode(), head })
    }

    fn inner_link(&self, inside: &mut RouteSocket) -> Result<Link, Error> {
        let netns = self.netns.clone();
        let (index, absence) = if self.addresses.is_empty() {
            (self.named(default_route_link(inside))?, Error::NoDefaultRoute { netns })
        } else {
            let absence = Error::NoAddress { netns, addresses: self.addresses.clone() };
            (self.named(link_with(inside, &self.addresses))?, absence)
        };
        let Some(index) = index else { return Err(absence) };
        self.named(inside.link(index))?.ok_or(absence)
    }

    fn named<T>(&self, outcome: Result<T, netlink::Error>) -> Result<T, Error> {
        outcome.map_err(|source| Error::Netns { netns: self.netns.clone(), source })
    }
}

/// The host's link that is the other end of a pod's. Numbers of links repeat between namespaces, so
/// the host's link must point back, and into the pod's namespace.
fn peer_of(
    host: &mut RouteSocket,
    pod: &Netns,
    inner: &Link,
) -> Result<Option<Link>, netlink::Error> {
    let (true, Some(index), Some(_)) = (inner.is_veth, inner.peer_index, inner.peer_nsid) else {
        return Ok(None);
    };
    let Some(outer) = host.link(index)? else { return Ok(None) };
    let points_back = outer.is_veth && outer.peer_index == Some(inner.index);
    let nsid = host.nsid(pod)?;
    Ok((points_back && nsid.is_some() && outer.peer_nsid == nsid).then_some(outer))
}

/// What stands first in a frame of the pod's: behind a bridge's port it sends to the bridge, and
/// elsewhere to the host's end itself.
fn head_of(host: &mut RouteSocket, outer: &Link, inner: &Link) -> Result<[u8; 12], netlink::Error> {
    let master = match outer.master {
        Some(index) => host.link(index)?,
        None => None,
    };
    let gateway = &master.as_ref().unwrap_or(outer).hardware_address;
    let mut head = [0; 12];
    for (to, from) in head.iter_mut().zip(gateway.iter().chain(&inner.hardware_address)) {
        *to = *from;
    }
    Ok(head)
}

fn link_with(
    inside: &mut RouteSocket,
    addresses: &[IpAddr],
) -> Result<Option<u32>, netlink::Error> {
    let listing = RouteNetlinkMessage::GetAddress(AddressMessage::default());
    let answers = inside.list(&listing, "listing addresses")?;
    Ok(answers.into_iter().find_map(|answer| {
        let RouteNetlinkMessage::NewAddress(found) = answer else { return None };
        let wanted = found.attributes.iter().any(|attribute| match attribute {
            // On a point-to-point link, `Address` is the other side's.
            AddressAttribute::Local(address) => addresses.contains(address),
            AddressAttribute::Address(address) => address.is_ipv6() && addresses.contains(address),
            _ => false,
        });
        wanted.then_some(found.header.index)
    }))
}

fn default_route_link(inside: &mut RouteSocket) -> Result<Option<u32>, netlink::Error> {
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut listing = RouteMessage::default();
        listing.header.address_family = family;
        let listing = RouteNetlinkMessage::GetRoute(listing);
        let answers = inside.list(&listing, "listing routes")?;
        let link = answers.into_iter().find_map(|answer| {
            let RouteNetlinkMessage::NewRoute(found) = answer else { return None };
            let is_default = found.header.destination_prefix_length == 0
                && found.header.table == RouteHeader::RT_TABLE_MAIN;
            found.attributes.into_iter().find_map(|attribute| match attribute {
                RouteAttribute::Oif(index) if is_default => Some(index),
                _ => None,
            })
        });
        if link.is_some() {
            return Ok(link);
        }
    }
    Ok(None)
}
