//! Which packets of a pod go to the agent: the tables, and the decision over them.
//!
//! [`decide`] is pure. It reads the tables through [`Tables`], which the kernel implements over
//! maps and tests over ordinary collections; it acts on nothing and parses nothing.
//!
//! **Invariant:** a connection is captured by its SYN alone; every later packet follows the socket
//! that the SYN made, whatever the tables say by then.
//! **Invariant:** a SYN that meets a socket of its addresses and ports goes where that socket's
//! packets go; no connection is torn between two ways.
//! **Invariant:** a packet that is not captured, refused or spoofed passes unchanged.

mod range;

pub use range::Range;

use crate::{addr::Addr, counter::Reason};

/// `TCP` in the protocol field (RFC 9293).
pub const TCP: u8 = 6;

/// The port at which an enrolled pod takes tunnels, served by its node's agent (HBONE).
pub const TUNNEL_PORT: u16 = 15008;

/// Bits of [`Config::flags`].
pub mod config_flag {
    /// Capture nothing new; entries that fail closed are refused.
    pub const BYPASS: u32 = 1;
    /// The control groups of those that may always connect are known, so their addresses do not
    /// count.
    pub const KNOWS_CGROUPS: u32 = 2;
}

/// The one entry of the `cfg` map.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Config {
    /// [`ABI`](crate::ABI) of the writer.
    pub abi: u32,
    /// Host side of the agent's veth.
    pub agent_if: u32,
    /// Id of the agent's network namespace as the host's namespace numbers it; negative when
    /// unknown.
    pub agent_nsid: i32,
    /// Bits of [`config_flag`].
    pub flags: u32,
    /// Fingerprint of the programs that the writer attached.
    pub programs: u64,
    /// The agent's end of its veth, numbered in the agent's network namespace; zero when unknown.
    pub inner_if: u32,
    /// The hardware address of that end.
    pub inner_address: [u8; 6],
    /// For later use, zero.
    pub reserve: [u8; 30],
}

/// What is captured: an address and a port.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub struct DestinationKey {
    /// Virtual or pod address.
    pub addr: Addr,
    /// Port in network byte order; zero stands for every port.
    pub port: u16,
    /// IP protocol number; zero for a [guard](Self::guard).
    pub protocol: u8,
    /// Zero for an address; of a [range](Self::in_range) its [`Range::mark`].
    pub range: u8,
}

impl DestinationKey {
    /// The key of a TCP destination; `port` in network byte order, zero for every port.
    #[inline(always)]
    pub const fn tcp(addr: Addr, port: u16) -> Self {
        Self { addr, port, protocol: TCP, range: 0 }
    }

    /// The key of an address that has an entry that fails closed. What hides its port from the
    /// programs, such as a first fragment that ends within the TCP header, is not let
    /// through to it.
    #[inline(always)]
    pub const fn guard(addr: Addr) -> Self {
        Self { addr, port: 0, protocol: 0, range: 0 }
    }

    /// The same of a whole range, by which it has its entries.
    #[must_use]
    #[inline(always)]
    pub const fn in_range(self, range: &Range) -> Self {
        Self { addr: range.first, range: range.mark, ..self }
    }
}

/// Values of [`Destination::action`].
pub mod action {
    /// Hand new connections to the agent.
    pub const CAPTURE: u8 = 1;
    /// Refuse new connections: the waypoint cannot be used and the destination fails closed.
    pub const REFUSE: u8 = 2;
}

/// Bits of [`Destination::flags`].
pub mod destination_flag {
    /// Without a living agent: refuse instead of passing.
    pub const FAIL_CLOSED: u8 = 1;
    /// The entry is an endpoint of a headless service.
    pub const HEADLESS: u8 = 2;
    /// Captured even while the agent is bypassed; how it proves that it works again.
    pub const ALWAYS: u8 = 4;
}

/// What happens to connections to a [`DestinationKey`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Destination {
    /// One of [`action`].
    pub action: u8,
    /// Bits of [`destination_flag`].
    pub flags: u8,
    /// Reserved for a waypoint's own listener slot, zero.
    pub waypoint_slot: u16,
    /// Number of the waypoint, for events; zero for none.
    pub waypoint_id: u32,
    /// Reserved for a waypoint pod of this node, zero.
    pub target_if: u32,
    /// For later use, zero.
    pub reserve: u32,
}

/// Bits of [`PodOfInterface::flags`] and [`InterfaceOfPod::flags`].
pub mod pod_flag {
    /// New connections of this pod are looked at.
    pub const CLIENT: u32 = 1;
    /// Packets must carry one of the pod's own addresses as their source.
    pub const ANTI_SPOOF: u32 = 2;
    /// New connections to this pod's [`TUNNEL_PORT`](super::TUNNEL_PORT) are the agent's.
    pub const INBOUND: u32 = 4;
}

/// An enrolled pod, found by the host side of its veth.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PodOfInterface {
    /// Number of the pod, for events.
    pub pod_id: u32,
    /// Bits of [`pod_flag`].
    pub flags: u32,
    /// IPv4 address in network byte order, zero for none.
    pub v4: [u8; 4],
    /// IPv6 address in network byte order, zero for none.
    pub v6: [u8; 16],
    /// What [`mark`] carries to the agent; never zero.
    pub slot: u16,
    /// Explicit padding.
    pub pad: u16,
}

impl PodOfInterface {
    /// Whether this is one of the pod's own addresses.
    #[inline(always)]
    pub(crate) fn has(&self, address: &Addr) -> bool {
        let own = if address.is_v4() { Addr::v4(self.v4) } else { Addr::v6(self.v6) };
        address.is(&own)
    }
}

/// Where a pod's address is on this node.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InterfaceOfPod {
    /// Host side of the pod's veth.
    pub ifindex: u32,
    /// Number of the pod, for events.
    pub pod_id: u32,
    /// Bits of [`pod_flag`].
    pub flags: u32,
    /// Hardware addresses as they stand first in a frame of the pod's: its gateway's, its own.
    pub head: [u32; 3],
}

const _: () = assert!(size_of::<Config>() == 64);
const _: () = assert!(size_of::<DestinationKey>() == 20);
const _: () = assert!(size_of::<Destination>() == 16);
const _: () = assert!(size_of::<PodOfInterface>() == 32);
const _: () = assert!(size_of::<InterfaceOfPod>() == 24);
crate::pod!(Config, DestinationKey, Destination, PodOfInterface, InterfaceOfPod);

/// Slots of the `lsn` map.
pub mod slot {
    /// The listener of TCP over IPv4.
    pub const TCP4: u32 = 0;
    /// The listener of TCP over IPv6.
    pub const TCP6: u32 = 1;
    /// The listener of tunnels over IPv4.
    pub const INBOUND4: u32 = 2;
    /// The listener of tunnels over IPv6.
    pub const INBOUND6: u32 = 3;
}

/// Sizes of the maps. A full map refuses new entries and keeps the old ones.
pub mod limit {
    /// Captured destinations.
    pub const WP_DST: u32 = 262_144;
    /// Captured ranges, and addresses that are left out of them.
    pub const WP_NET: u32 = 131_072;
    /// Enrolled pods of a node.
    pub const IF_POD: u32 = 4096;
    /// Addresses of the enrolled pods of a node.
    pub const POD_IF: u32 = 8192;
    /// Listener slots.
    pub const LSN: u32 = 16;
}

/// The slot of the agent's own probe, which is treated like a pod but counted apart.
pub const PROBE_SLOT: u16 = u16::MAX;

/// The packet mark that names a captured connection's pod: `0x57` above the pod's slot.
///
/// With `net.ipv4.tcp_fwmark_accept` the accepted socket carries it as `SO_MARK`.
#[inline(always)]
pub const fn mark(slot: u16) -> u32 {
    0x5700_0000 | slot as u32
}

/// The slot in a [`mark`], if it is one of ours.
#[inline(always)]
pub const fn slot_of_mark(mark: u32) -> Option<u16> {
    if mark & 0xffff_0000 == 0x5700_0000 { Some((mark & 0xffff) as u16) } else { None }
}

/// The socket mark of connections that the proxy opens toward endpoints.
pub const UPSTREAM_MARK: u32 = 0x5701_0000;

/// A TCP segment, as far as the decision needs it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Segment {
    /// Source address.
    pub source: Addr,
    /// Destination address.
    pub destination: Addr,
    /// Source port, network byte order.
    pub source_port: u16,
    /// Destination port, network byte order.
    pub destination_port: u16,
    /// Whether it opens a connection: SYN without ACK.
    pub opens: bool,
}

/// What a packet turned out to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Packet<'a> {
    /// A TCP segment with its ports.
    Tcp(&'a Segment),
    /// Something to leave alone, and why.
    Other(Reason),
}

/// What the decision may ask of the maps.
pub trait Tables {
    /// The entry of exactly this key.
    fn destination(&self, key: &DestinationKey) -> Option<Destination>;
    /// The narrowest range that an address is in.
    fn range(&self, address: &Addr) -> Option<&Range>;
    /// Whether the agent has a connection of exactly this segment's addresses and ports.
    fn established(&self, segment: &Segment) -> bool;
    /// Whether the agent listens in this slot.
    fn listens(&self, slot: u32) -> bool;
}

/// What to do with a packet of a pod.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Leave it to the next program and the node's own network.
    Pass(Reason),
    /// Hand it to the agent.
    Capture(Reason),
    /// Answer it with a reset.
    Refuse(Reason),
    /// Drop it.
    Drop(Reason),
}

impl Verdict {
    /// Why.
    #[inline(always)]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Pass(reason)
            | Self::Capture(reason)
            | Self::Refuse(reason)
            | Self::Drop(reason) => reason,
        }
    }
}

/// Decides what happens to a packet that left an enrolled pod.
#[inline(always)]
pub fn decide<T: Tables>(
    packet: Packet<'_>,
    pod: &PodOfInterface,
    config_flags: u32,
    tables: &T,
) -> Verdict {
    let segment = match packet {
        Packet::Tcp(segment) => segment,
        Packet::Other(reason) => return Verdict::Pass(reason),
    };
    let reason = if segment.opens {
        match opening(segment, pod, config_flags, tables) {
            Verdict::Pass(reason) => reason,
            decided => return decided,
        }
    } else {
        Reason::NotCaptured
    };
    // What is not captured by itself may still be somebody's: a port that was used for a captured
    // connection is used again while the agent's kernel remembers that one, and would take every
    // packet after the SYN. So it gets the SYN too, and the agent the connection.
    if !tables.established(segment) {
        return Verdict::Pass(reason);
    }
    if spoofed(segment, pod) {
        return Verdict::Drop(Reason::Spoofed);
    }
    Verdict::Capture(Reason::CapturedEstablished)
}

/// Decides about a SYN by what it is addressed to.
#[inline(always)]
fn opening<T: Tables>(
    segment: &Segment,
    pod: &PodOfInterface,
    config_flags: u32,
    tables: &T,
) -> Verdict {
    if pod.flags & pod_flag::CLIENT == 0 {
        return Verdict::Pass(Reason::NotEnrolled);
    }
    match destination(segment, tables) {
        None => Verdict::Pass(Reason::Miss),
        Some(_) if spoofed(segment, pod) => Verdict::Drop(Reason::Spoofed),
        Some(found) => open(segment, &found, config_flags, tables),
    }
}

/// The entry of the segment's port, else of every port of its address, else of the range that it
/// is in. The tunnel port counts only by itself: a waypoint's tunnel to a pod would otherwise lead
/// back to the waypoint.
#[inline(always)]
fn destination<T: Tables>(segment: &Segment, tables: &T) -> Option<Destination> {
    let exact = DestinationKey::tcp(segment.destination, segment.destination_port);
    if let Some(found) = tables.destination(&exact) {
        return Some(found);
    }
    if segment.destination_port == TUNNEL_PORT.to_be() {
        return None;
    }
    if let Some(found) = tables.destination(&DestinationKey::tcp(segment.destination, 0)) {
        return Some(found);
    }
    let range = tables.range(&segment.destination)?;
    tables.destination(&exact.in_range(range))
}

/// Decides about a new connection to a destination that has an entry.
#[inline(always)]
fn open<T: Tables>(
    segment: &Segment,
    found: &Destination,
    config_flags: u32,
    tables: &T,
) -> Verdict {
    if found.action == action::REFUSE {
        return Verdict::Refuse(Reason::Refused);
    }
    let closed = found.flags & destination_flag::FAIL_CLOSED != 0;
    let always = found.flags & destination_flag::ALWAYS != 0;
    let bypass = config_flags & config_flag::BYPASS != 0 && !always;
    let slot = if segment.destination.is_v4() { slot::TCP4 } else { slot::TCP6 };
    if !bypass && tables.listens(slot) {
        return Verdict::Capture(Reason::Captured);
    }
    match (closed, bypass) {
        (true, _) => Verdict::Refuse(Reason::FailClosed),
        (false, true) => Verdict::Pass(Reason::Bypass),
        (false, false) => Verdict::Pass(Reason::FailOpen),
    }
}

/// Whether the source is none of the pod's own addresses.
#[inline(always)]
fn spoofed(segment: &Segment, pod: &PodOfInterface) -> bool {
    pod.flags & pod_flag::ANTI_SPOOF != 0 && !pod.has(&segment.source)
}

#[cfg(test)]
mod tests;
