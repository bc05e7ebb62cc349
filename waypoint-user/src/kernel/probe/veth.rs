//! The probe's veth: one end in the host's namespace, one in the probe's, with addresses and a
//! route.
//!
//! The inner end asks for no neighbour: whatever it sends is for the other end.

use std::net::IpAddr;

use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressHeaderFlags, AddressMessage},
    link::{LinkFlags, LinkMessage},
    route::{RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType},
};

use super::{
    super::{
        agent_netns::sysctls,
        netlink::{Error, Link, RouteSocket, veth_pair},
        netns::Netns,
    },
    families,
};

/// Makes the veth with everything on it, unless it is there. Returns the number of the host's end.
pub(super) fn ensure(netns: &Netns, link: &str, made: &mut Vec<String>) -> Result<u32, Error> {
    let mut host = RouteSocket::open()?;
    let mut inside = netns.run(RouteSocket::open)??;
    if let (Some(outer), Some(inner)) = (host.link_named(link)?, inside.link_named(INNER)?)
        && outer.peer_index == Some(inner.index)
        && inner.is_up
    {
        return Ok(outer.index);
    }
    if let Some(stray) = inside.link_named(INNER)? {
        inside.delete_link(&stray)?;
    }
    host.create(
        RouteNetlinkMessage::NewLink(veth_pair(link, INNER, netns)),
        "making the probe's veth",
    )?;
    made.push(format!("veth pair {link} - {INNER}"));
    let gone = || Error::LinkGone(link.to_owned());
    let outer = host.link_named(link)?.ok_or_else(gone)?;
    let inner = inside.link_named(INNER)?.ok_or_else(gone)?;
    // Before it comes up and makes itself an address.
    sysctls::wish(&sysctls::of_outer_link(link), &mut Vec::new());
    bring_up(&mut host, &outer, LinkFlags::Up)?;
    bring_up(&mut inside, &inner, LinkFlags::Up | LinkFlags::Noarp)?;
    for family in families() {
        address(&mut inside, inner.index, family.source)?;
        route(&mut inside, inner.index, family.source)?;
    }
    Ok(outer.index)
}

/// Deletes the veth if its inner end is in the namespace.
pub(super) fn remove(netns: &Netns, link: &str) -> Result<bool, Error> {
    let mut host = RouteSocket::open()?;
    let nsid = host.nsid(netns)?;
    match host.link_named(link)? {
        Some(outer) if nsid.is_some() && outer.peer_nsid == nsid => {
            host.delete_link(&outer).map(|()| true)
        }
        _ => Ok(false),
    }
}

fn bring_up(socket: &mut RouteSocket, link: &Link, flags: LinkFlags) -> Result<(), Error> {
    let mut message = LinkMessage::default();
    message.header.index = link.index;
    message.header.flags = flags;
    message.header.change_mask = flags;
    let what = format!("setting link {} up", link.name);
    socket.change(RouteNetlinkMessage::SetLink(message), &what)
}

fn address(socket: &mut RouteSocket, link: u32, address: IpAddr) -> Result<(), Error> {
    let mut message = AddressMessage::default();
    message.header.family = family_of(address);
    message.header.prefix_len = if address.is_ipv4() { 32 } else { 128 };
    message.header.index = link;
    message.header.flags = AddressHeaderFlags::Nodad;
    message.attributes = vec![AddressAttribute::Local(address), AddressAttribute::Address(address)];
    let what = format!("address {address} on the probe's veth");
    socket.replace(RouteNetlinkMessage::NewAddress(message), &what)
}

/// Everything of the address's family goes out by the link.
fn route(socket: &mut RouteSocket, link: u32, address: IpAddr) -> Result<(), Error> {
    let mut message = RouteMessage::default();
    message.header.address_family = family_of(address);
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Static;
    message.header.scope = RouteScope::Link;
    message.header.kind = RouteType::Unicast;
    message.attributes.push(RouteAttribute::Oif(link));
    socket.replace(RouteNetlinkMessage::NewRoute(message), "the probe's default route")
}

fn family_of(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

/// The end in the probe's namespace.
const INNER: &str = "eth0";
