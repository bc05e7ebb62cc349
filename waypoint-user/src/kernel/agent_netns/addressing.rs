//! Addresses, routes, rules and neighbours inside the agent's namespace.
//!
//! What arrives by the inner link is local, whatever its destination; what leaves goes to the outer
//! link by a neighbour that is written down, so that nobody has to answer for it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope},
    neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState},
    route::{
        RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope,
        RouteType,
    },
    rule::{RuleAction, RuleAttribute, RuleMessage},
};

use super::{
    super::netlink::{Error, RouteSocket},
    pair::INNER_LINK,
};

/// Writes what is missing, by a socket inside the namespace.
pub(super) struct Addressing<'a> {
    /// Inside.
    pub(super) socket: &'a mut RouteSocket,
    /// The inner link's number.
    pub(super) link: u32,
    /// What was missing.
    pub(super) repairs: &'a mut Vec<String>,
}

impl Addressing<'_> {
    /// Makes sure of everything; `gateway` is the outer link's hardware address.
    pub(super) fn ensure(mut self, gateway: &[u8], with_ipv6: bool) -> Result<(), Error> {
        self.ensure_family(&V4, gateway)?;
        if with_ipv6 { self.ensure_family(&V6, gateway) } else { Ok(()) }
    }

    fn ensure_family(&mut self, family: &Family, gateway: &[u8]) -> Result<(), Error> {
        for (address, prefix) in family.addresses {
            self.ensure_address(*address, *prefix)?;
        }
        for route in family.routes(self.link) {
            self.ensure_route(&route)?;
        }
        self.ensure_neighbour(family.gateway, gateway)?;
        self.ensure_rule(family.protocol)
    }

    fn ensure_address(&mut self, address: IpAddr, prefix: u8) -> Result<(), Error> {
        let mut wanted = AddressMessage::default();
        wanted.header.family = family_of(address);
        wanted.header.prefix_len = prefix;
        wanted.header.index = self.link;
        wanted.header.flags = AddressHeaderFlags::Nodad;
        let listing = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        let there = self.socket.list(&listing, "listing addresses")?.into_iter().any(|message| {
            let RouteNetlinkMessage::NewAddress(found) = message else { return false };
            found.header.index == self.link
                && found.header.prefix_len == prefix
                && found.attributes.contains(&AddressAttribute::Address(address))
        });
        if there {
            return Ok(());
        }
        if is_link_local(address) {
            wanted.header.scope = AddressScope::Link;
        }
        wanted.attributes =
            vec![AddressAttribute::Local(address), AddressAttribute::Address(address)];
        let what = format!("address {address}/{prefix} on {INNER_LINK}");
        self.socket.replace(RouteNetlinkMessage::NewAddress(wanted), &what)?;
        self.repairs.push(what);
        Ok(())
    }

    fn ensure_route(&mut self, wanted: &RouteMessage) -> Result<(), Error> {
        let mut listing = RouteMessage::default();
        listing.header.address_family = wanted.header.address_family;
        let listing = RouteNetlinkMessage::GetRoute(listing);
        let there = self.socket.list(&listing, "listing routes")?.into_iter().any(|message| {
            matches!(message, RouteNetlinkMessage::NewRoute(found) if is_same(&found, wanted))
        });
        if there {
            return Ok(());
        }
        let what = describe(wanted);
        self.socket.replace(RouteNetlinkMessage::NewRoute(wanted.clone()), &what)?;
        self.repairs.push(what);
        Ok(())
    }

    fn ensure_neighbour(&mut self, address: IpAddr, hardware: &[u8]) -> Result<(), Error> {
        let mut wanted = NeighbourMessage::default();
        wanted.header.family = family_of(address);
        let listing = RouteNetlinkMessage::GetNeighbour(wanted.clone());
        wanted.header.ifindex = self.link;
        wanted.header.state = NeighbourState::Permanent;
        let destination = NeighbourAddress::from(address);
        wanted.attributes = vec![
            NeighbourAttribute::Destination(destination),
            NeighbourAttribute::LinkLayerAddress(hardware.to_vec()),
        ];
        let there = self.socket.list(&listing, "listing neighbours")?.into_iter().any(|message| {
            let RouteNetlinkMessage::NewNeighbour(found) = message else { return false };
            found.header.ifindex == self.link
                && found.header.state == NeighbourState::Permanent
                && wanted.attributes.iter().all(|attribute| found.attributes.contains(attribute))
        });
        if there {
            return Ok(());
        }
        let what = format!("neighbour {address} on {INNER_LINK}");
        self.socket.replace(RouteNetlinkMessage::NewNeighbour(wanted), &what)?;
        self.repairs.push(what);
        Ok(())
    }

    fn ensure_rule(&mut self, family: AddressFamily) -> Result<(), Error> {
        let mut wanted = RuleMessage::default();
        wanted.header.family = family;
        let listing = RouteNetlinkMessage::GetRule(wanted.clone());
        wanted.header.action = RuleAction::ToTable;
        wanted.header.table = TABLE;
        wanted.attributes = vec![
            RuleAttribute::Iifname(INNER_LINK.to_owned()),
            RuleAttribute::Priority(RULE_PRIORITY),
        ];
        let there = self.socket.list(&listing, "listing rules")?.into_iter().any(|message| {
            let RouteNetlinkMessage::NewRule(found) = message else { return false };
            found.header.table == TABLE
                && wanted.attributes.iter().all(|attribute| found.attributes.contains(attribute))
        });
        if there {
            return Ok(());
        }
        let what = format!("rule {family:?} iif {INNER_LINK} lookup {TABLE}");
        self.socket.create(RouteNetlinkMessage::NewRule(wanted), &what)?;
        self.repairs.push(what);
        Ok(())
    }
}

/// What one family of addresses needs.
struct Family {
    protocol: AddressFamily,
    addresses: &'static [(IpAddr, u8)],
    /// Stands for the outer link.
    gateway: IpAddr,
}

impl Family {
    fn routes(&self, link: u32) -> Vec<RouteMessage> {
        let mut local = self.route(TABLE, LOOPBACK);
        local.header.kind = RouteType::Local;
        local.header.scope = RouteScope::Host;
        let mut default = self.route(RouteHeader::RT_TABLE_MAIN, link);
        default.attributes.push(RouteAttribute::Gateway(self.gateway.into()));
        if self.gateway.is_ipv6() {
            return vec![local, default];
        }
        // IPv6 gateways are link-local, so they need no route of their own.
        let mut to_gateway = self.route(RouteHeader::RT_TABLE_MAIN, link);
        to_gateway.header.destination_prefix_length = 32;
        to_gateway.header.scope = RouteScope::Link;
        to_gateway.attributes.push(RouteAttribute::Destination(self.gateway.into()));
        vec![local, to_gateway, default]
    }

    /// A route to everywhere.
    fn route(&self, table: u8, link: u32) -> RouteMessage {
        let mut route = RouteMessage::default();
        route.header.address_family = self.protocol;
        route.header.table = table;
        route.header.protocol = RouteProtocol::Static;
        route.header.kind = RouteType::Unicast;
        route.attributes.push(RouteAttribute::Oif(link));
        route
    }
}

fn is_same(found: &RouteMessage, wanted: &RouteMessage) -> bool {
    found.header.table == wanted.header.table
        && found.header.kind == wanted.header.kind
        && found.header.destination_prefix_length == wanted.header.destination_prefix_length
        && wanted.attributes.iter().all(|attribute| found.attributes.contains(attribute))
}

fn describe(route: &RouteMessage) -> String {
    let destination = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(RouteAddress::Inet(address)) => Some(address.to_string()),
        _ => None,
    });
    let to = destination.unwrap_or_else(|| "default".to_owned());
    let RouteHeader { address_family, kind, table, .. } = &route.header;
    format!("route {address_family:?} {kind:?} {to} in table {table}")
}

fn family_of(address: IpAddr) -> AddressFamily {
    if address.is_ipv6() { AddressFamily::Inet6 } else { AddressFamily::Inet }
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// No one else sees these addresses, so every agent has the same. The global one is there because
/// the kernel wants a source for what it says itself, such as ICMPv6 errors.
const V4: Family = Family {
    protocol: AddressFamily::Inet,
    addresses: &[(IpAddr::V4(Ipv4Addr::new(169, 254, 1, 2)), 32)],
    gateway: IpAddr::V4(Ipv4Addr::new(169, 254, 1, 1)),
};
const V6: Family = Family {
    protocol: AddressFamily::Inet6,
    addresses: &[
        (IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2)), 64),
        (IpAddr::V6(Ipv6Addr::new(0xfd5a, 0x9c1e, 0x7b42, 0, 0, 0, 0, 2)), 128),
    ],
    gateway: IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1)),
};
/// Before the rule of the table `main`, after that of `local`.
const RULE_PRIORITY: u32 = 10;
const TABLE: u8 = 100;
/// The loopback link has this number in every namespace.
const LOOPBACK: u32 = 1;

#[cfg(test)]
mod tests;
