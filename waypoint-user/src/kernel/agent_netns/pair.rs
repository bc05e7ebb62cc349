//! The veth pair between the host's namespace and the agent's.
//!
//! **Invariant:** a link of the host's namespace is deleted only if its other end is in the
//! agent's.

use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{LinkFlags, LinkMessage},
};

use super::super::{
    netlink::{Error, Link, RouteSocket, veth_pair},
    netns::Netns,
};

/// Both ends.
#[derive(Debug)]
pub(super) struct Pair {
    /// In the host's namespace.
    pub(super) outer: Link,
    /// In the agent's.
    pub(super) inner: Link,
}

/// The pair, made anew unless it is whole.
pub(super) fn ensure(
    host: &mut RouteSocket,
    inside: &mut RouteSocket,
    netns: &Netns,
    link: &str,
    repairs: &mut Vec<String>,
) -> Result<Pair, Error> {
    if let Some(pair) = find(host, inside, netns, link)? {
        return Ok(pair);
    }
    // With the inner end goes its outer end, whatever its name is now.
    if let Some(stray) = inside.link_named(INNER_LINK)? {
        inside.delete_link(&stray)?;
    }
    remove_with(host, netns, link)?;
    if host.link_named(link)?.is_some() {
        return Err(Error::LinkTaken(link.to_owned()));
    }
    let what = format!("making the veth pair {link} - {INNER_LINK}");
    host.create(RouteNetlinkMessage::NewLink(veth_pair(link, INNER_LINK, netns)), &what)?;
    repairs.push(format!("veth pair {link} - {INNER_LINK}"));
    find(host, inside, netns, link)?.ok_or_else(|| Error::LinkGone(link.to_owned()))
}

/// Deletes the pair if its outer end has this name and its inner end is in the namespace.
pub(super) fn remove(netns: &Netns, link: &str) -> Result<bool, Error> {
    remove_with(&mut RouteSocket::open()?, netns, link)
}

/// Sets a link up.
pub(super) fn bring_up(
    socket: &mut RouteSocket,
    link: &Link,
    repairs: &mut Vec<String>,
) -> Result<(), Error> {
    if link.is_up {
        return Ok(());
    }
    let mut message = LinkMessage::default();
    message.header.index = link.index;
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    let what = format!("setting link {} up", link.name);
    socket.change(RouteNetlinkMessage::SetLink(message), &what)?;
    repairs.push(format!("link {} up", link.name));
    Ok(())
}

/// Sets the loopback link up, which delivers what is local.
pub(super) fn bring_up_loopback(
    inside: &mut RouteSocket,
    repairs: &mut Vec<String>,
) -> Result<(), Error> {
    let loopback = inside.link_named("lo")?.ok_or_else(|| Error::LinkGone("lo".to_owned()))?;
    bring_up(inside, &loopback, repairs)
}

fn find(
    host: &mut RouteSocket,
    inside: &mut RouteSocket,
    netns: &Netns,
    link: &str,
) -> Result<Option<Pair>, Error> {
    let (Some(outer), Some(inner)) = (host.link_named(link)?, inside.link_named(INNER_LINK)?)
    else {
        return Ok(None);
    };
    let leads_inside = is_peer_within(host, netns, &outer)?;
    let joined = outer.peer_index == Some(inner.index) && inner.peer_index == Some(outer.index);
    Ok((leads_inside && joined).then_some(Pair { outer, inner }))
}

fn remove_with(host: &mut RouteSocket, netns: &Netns, link: &str) -> Result<bool, Error> {
    match host.link_named(link)? {
        Some(outer) if is_peer_within(host, netns, &outer)? => {
            host.delete_link(&outer).map(|()| true)
        }
        _ => Ok(false),
    }
}

fn is_peer_within(host: &mut RouteSocket, netns: &Netns, outer: &Link) -> Result<bool, Error> {
    let nsid = host.nsid(netns)?;
    Ok(outer.is_veth && nsid.is_some() && outer.peer_nsid == nsid)
}

/// The inner end's name; sysctls and rules go by it.
pub(super) const INNER_LINK: &str = "eth0";
