//! Links, and the numbers by which one namespace knows another.

use std::os::fd::AsRawFd;

use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage},
    nsid::{NsidAttribute, NsidMessage},
};

use super::{Error, RouteSocket};
use crate::kernel::netns::Netns;

/// A network link, as its namespace sees it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Link {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its hardware address.
    pub hardware_address: Vec<u8>,
    /// Whether it is an end of a veth pair.
    pub is_veth: bool,
    /// Whether it is administratively up.
    pub is_up: bool,
    /// For a veth, the other end's number in its own namespace.
    pub peer_index: Option<u32>,
    /// The number of the other end's namespace; none when that is the same one.
    pub peer_nsid: Option<i32>,
    /// The bridge that it is a port of, or another link that it is a part of.
    pub master: Option<u32>,
}

impl RouteSocket {
    /// Every link of the namespace.
    pub fn links(&mut self) -> Result<Vec<Link>, Error> {
        let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let answers = self.list(&request, "listing links")?;
        Ok(answers.into_iter().filter_map(link_of).collect())
    }

    /// The link of this number.
    pub fn link(&mut self, index: u32) -> Result<Option<Link>, Error> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        self.one_link(message, &format!("reading link {index}"))
    }

    /// The link of this name.
    pub fn link_named(&mut self, name: &str) -> Result<Option<Link>, Error> {
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::IfName(name.to_owned()));
        self.one_link(message, &format!("reading link {name}"))
    }

    /// Deletes a link, and with a veth the other end.
    pub fn delete_link(&mut self, link: &Link) -> Result<(), Error> {
        let mut message = LinkMessage::default();
        message.header.index = link.index;
        let what = format!("deleting link {}", link.name);
        self.change(RouteNetlinkMessage::DelLink(message), &what)
    }

    /// The number by which this socket's namespace knows another, if it has one yet.
    pub fn nsid(&mut self, netns: &Netns) -> Result<Option<i32>, Error> {
        let request = RouteNetlinkMessage::GetNsId(naming(netns)?);
        let what = format!("reading the number of network namespace {}", netns.path().display());
        let answer = self.ask(request, &what)?;
        let Some(RouteNetlinkMessage::NewNsId(answer)) = answer else { return Ok(None) };
        Ok(answer.attributes.iter().find_map(|attribute| match attribute {
            NsidAttribute::Id(id) if *id >= 0 => Some(*id),
            _ => None,
        }))
    }

    /// Lets the kernel choose a number for a namespace that has none.
    pub fn number(&mut self, netns: &Netns) -> Result<(), Error> {
        let mut message = naming(netns)?;
        message.attributes.push(NsidAttribute::Id(KERNEL_CHOOSES));
        let what = format!("numbering network namespace {}", netns.path().display());
        self.change(RouteNetlinkMessage::NewNsId(message), &what)
    }

    fn one_link(&mut self, message: LinkMessage, what: &str) -> Result<Option<Link>, Error> {
        match self.ask(RouteNetlinkMessage::GetLink(message), what) {
            Ok(answer) => Ok(answer.and_then(link_of)),
            Err(error) if error.is_absence() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A message that names a namespace by an open file, which the kernel looks up in this process.
fn naming(netns: &Netns) -> Result<NsidMessage, Error> {
    let descriptor = u32::try_from(netns.as_raw_fd())
        .map_err(|_| Error::NotNetns { path: netns.path().to_owned() })?;
    let mut message = NsidMessage::default();
    message.attributes.push(NsidAttribute::Fd(descriptor));
    Ok(message)
}

fn link_of(message: RouteNetlinkMessage) -> Option<Link> {
    let RouteNetlinkMessage::NewLink(message) = message else { return None };
    let is_up = message.header.flags.contains(LinkFlags::Up);
    let mut link = Link { index: message.header.index, is_up, ..Link::default() };
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::Address(address) => link.hardware_address = address,
            LinkAttribute::Link(index) => link.peer_index = Some(index),
            LinkAttribute::LinkNetNsId(id) => link.peer_nsid = Some(id),
            LinkAttribute::Controller(index) => link.master = Some(index),
            LinkAttribute::LinkInfo(parts) => {
                link.is_veth = parts.contains(&LinkInfo::Kind(InfoKind::Veth));
            }
            _ => {}
        }
    }
    Some(link)
}

const KERNEL_CHOOSES: i32 = -1;

/// A request for a veth: `outer` in the namespace that it is sent to, `inner` in another.
pub(in crate::kernel) fn veth_pair(outer: &str, inner: &str, netns: &Netns) -> LinkMessage {
    let mut peer = LinkMessage::default();
    peer.attributes.push(LinkAttribute::IfName(inner.to_owned()));
    peer.attributes.push(LinkAttribute::NetNsFd(netns.as_raw_fd()));
    let mut pair = LinkMessage::default();
    pair.attributes.push(LinkAttribute::IfName(outer.to_owned()));
    pair.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Veth),
        LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
    ]));
    pair
}
