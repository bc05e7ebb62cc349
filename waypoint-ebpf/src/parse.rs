//! Reads headers: Ethernet, IPv4 with options, IPv6 with extension headers, TCP.
//!
//! It decides nothing and changes nothing. Every read is a bounded copy out of the packet, so neither
//! a length nor an offset that the sender wrote is trusted.

use aya_ebpf::programs::TcContext;
use waypoint_common::{
    addr::Addr,
    counter::Reason,
    redirect::{Packet, Segment, TCP},
};

/// A frame, as far as it was read.
pub(crate) struct Parsed {
    /// What the decision needs.
    pub(crate) packet: Packet,
    /// Offset of the TCP header; zero if there is none.
    pub(crate) transport: usize,
}

/// The network header of a packet.
pub(crate) struct Network {
    /// Source address.
    pub(crate) source: Addr,
    /// Destination address.
    pub(crate) destination: Addr,
    /// IP protocol number, after extension headers.
    pub(crate) protocol: u8,
    /// Offset of the transport header from the start of the frame.
    pub(crate) transport: usize,
}

/// Reads a frame as far as its TCP header.
///
/// It is a function of its own to the kernel, so that its buffers are off the stack when it is done.
#[inline(never)]
pub(crate) fn packet(ctx: &TcContext) -> Parsed {
    let other = |reason| Parsed { packet: Packet::Other(reason), transport: 0 };
    match network(ctx) {
        Err(reason) => other(reason),
        Ok(network) => match segment(ctx, &network) {
            Err(reason) => other(reason),
            Ok(segment) => Parsed { packet: Packet::Tcp(segment), transport: network.transport },
        },
    }
}

/// Reads the Ethernet and the network header.
#[inline(always)]
pub(crate) fn network(ctx: &TcContext) -> Result<Network, Reason> {
    // SAFETY: the context of a tcx program is valid for as long as the program runs.
    let tagged = unsafe { (*ctx.skb.skb).vlan_present } != 0;
    let ethertype = ctx.load::<[u8; 2]>(ETHERTYPE).map_err(|_| Reason::Malformed)?;
    match ethertype {
        _ if tagged => Err(Reason::NotTcp),
        ETHERTYPE_IPV4 => ipv4(ctx),
        ETHERTYPE_IPV6 => ipv6(ctx),
        _ => Err(Reason::NotTcp),
    }
}

/// Reads an IPv4 header; the first fragment counts as a whole packet, as it has the ports.
#[inline(always)]
fn ipv4(ctx: &TcContext) -> Result<Network, Reason> {
    let header = ctx.load::<[u8; 20]>(NETWORK).map_err(|_| Reason::Malformed)?;
    let [version, _, _, _, _, _, f0, f1, _, protocol, _, _, addresses @ ..] = header;
    let [s0, s1, s2, s3, d0, d1, d2, d3] = addresses;
    let header_bytes = (version & 0x0f) as usize * 4;
    if header_bytes < 20 {
        return Err(Reason::Malformed);
    }
    if u16::from_be_bytes([f0, f1]) & IPV4_FRAGMENT_OFFSET != 0 {
        return Err(Reason::Fragment);
    }
    Ok(Network {
        source: Addr::v4([s0, s1, s2, s3]),
        destination: Addr::v4([d0, d1, d2, d3]),
        protocol,
        transport: NETWORK + header_bytes,
    })
}

/// Reads an IPv6 header and looks through its extension headers.
#[inline(always)]
fn ipv6(ctx: &TcContext) -> Result<Network, Reason> {
    let next = ctx.load::<u8>(NETWORK + 6).map_err(|_| Reason::Malformed)?;
    let source = ctx.load::<[u8; 16]>(NETWORK + 8).map_err(|_| Reason::Malformed)?;
    let destination = ctx.load::<[u8; 16]>(NETWORK + 24).map_err(|_| Reason::Malformed)?;
    let (protocol, transport) = skip_extensions(ctx, next, NETWORK + 40)?;
    Ok(Network {
        source: Addr::v6(source),
        destination: Addr::v6(destination),
        protocol,
        transport,
    })
}

/// Looks through at most [`EXTENSION_HEADERS_MAX`] extension headers (RFC 8200 section 4).
#[inline(always)]
fn skip_extensions(
    ctx: &TcContext,
    mut next: u8,
    mut offset: usize,
) -> Result<(u8, usize), Reason> {
    for _ in 0..EXTENSION_HEADERS_MAX {
        if !is_extension(next) {
            return Ok((next, offset));
        }
        let [following, length, f0, f1] =
            ctx.load::<[u8; 4]>(offset).map_err(|_| Reason::Malformed)?;
        if next != FRAGMENT {
            offset += (length as usize + 1) * 8;
        } else if u16::from_be_bytes([f0, f1]) & IPV6_FRAGMENT_OFFSET != 0 {
            return Err(Reason::Fragment);
        } else {
            offset += 8;
        }
        next = following;
    }
    if is_extension(next) { Err(Reason::ExtensionHeaders) } else { Ok((next, offset)) }
}

/// Whether an IPv6 "next header" is an extension header that may stand before TCP.
#[inline(always)]
const fn is_extension(next: u8) -> bool {
    matches!(next, HOP_BY_HOP | ROUTING | FRAGMENT | DESTINATION_OPTIONS)
}

/// Reads a TCP header.
#[inline(always)]
pub(crate) fn segment(ctx: &TcContext, network: &Network) -> Result<Segment, Reason> {
    if network.protocol != TCP {
        return Err(Reason::NotTcp);
    }
    let header = ctx.load::<[u8; 20]>(network.transport).map_err(|_| Reason::Malformed)?;
    let [s0, s1, d0, d1, _, _, _, _, _, _, _, _, _, flags, ..] = header;
    Ok(Segment {
        source: network.source,
        destination: network.destination,
        source_port: u16::from_ne_bytes([s0, s1]),
        destination_port: u16::from_ne_bytes([d0, d1]),
        opens: flags & (TCP_SYN | TCP_ACK) == TCP_SYN,
    })
}

/// Offset of the EtherType in an untagged frame.
const ETHERTYPE: usize = 12;
/// Offset of the network header in an untagged frame.
pub(crate) const NETWORK: usize = 14;
const ETHERTYPE_IPV4: [u8; 2] = [0x08, 0x00];
const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];
const IPV4_FRAGMENT_OFFSET: u16 = 0x1fff;
const IPV6_FRAGMENT_OFFSET: u16 = 0xfff8;
const EXTENSION_HEADERS_MAX: usize = 4;
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION_OPTIONS: u8 = 60;
const TCP_SYN: u8 = 0x02;
const TCP_ACK: u8 = 0x10;
