//! Reads headers: Ethernet, IPv4 with options, IPv6 with extension headers, TCP.
//!
//! It decides nothing and changes nothing. Every read is a bounded copy out of the packet, so
//! neither a length nor an offset that the sender wrote is trusted.

use aya_ebpf::programs::TcContext;
use waypoint_common::{
    addr::Addr,
    counter::Reason,
    redirect::{Segment, TCP},
};

/// The headers of a TCP segment.
pub(crate) struct Headers {
    /// What the decision needs of them.
    pub(crate) segment: Segment,
    /// Offset of the TCP header.
    pub(crate) transport: usize,
}

impl Headers {
    /// Reads a frame as far as its TCP header.
    #[inline(always)]
    pub(crate) fn read(ctx: &TcContext) -> Result<Self, Reason> {
        Network::read(ctx)?.read_segment(ctx)
    }
}

/// The network header of a packet.
pub(crate) struct Network {
    /// Source address.
    source: Addr,
    /// Destination address.
    pub(crate) destination: Addr,
    /// Offset of the transport header.
    pub(crate) transport: usize,
    /// IP protocol number, after extension headers.
    pub(crate) protocol: u8,
}

impl Network {
    /// Reads the Ethernet and the network header.
    #[inline(always)]
    pub(crate) fn read(ctx: &TcContext) -> Result<Self, Reason> {
        // SAFETY: the context of a tcx program is valid for as long as the program runs.
        let tagged = unsafe { (*ctx.skb.skb).vlan_present } != 0;
        let ethertype = ctx.load::<u16>(ETHERTYPE).map_err(|_| Reason::Malformed)?;
        match u16::from_be(ethertype) {
            _ if tagged => Err(Reason::NotTcp),
            ETHERTYPE_IPV4 => Self::read_ipv4(ctx),
            ETHERTYPE_IPV6 => Self::read_ipv6(ctx),
            _ => Err(Reason::NotTcp),
        }
    }

    /// Reads an IPv4 header; the first fragment counts as a whole packet, as it has the ports.
    #[inline(always)]
    fn read_ipv4(ctx: &TcContext) -> Result<Self, Reason> {
        let header = ctx.load::<[u32; 5]>(NETWORK).map_err(|_| Reason::Malformed)?;
        let [first, fragment, third, source, destination] = header;
        let [version, ..] = first.to_ne_bytes();
        let [_, protocol, ..] = third.to_ne_bytes();
        let header_bytes = (version & 0x0f) as usize * 4;
        if header_bytes < 20 {
            return Err(Reason::Malformed);
        }
        if u32::from_be(fragment) & IPV4_FRAGMENT_OFFSET != 0 {
            return Err(Reason::Fragment);
        }
        let source = Addr::v4(source.to_ne_bytes());
        let destination = Addr::v4(destination.to_ne_bytes());
        Ok(Self { source, destination, transport: NETWORK + header_bytes, protocol })
    }

    /// Reads an IPv6 header and looks through its extension headers.
    #[inline(always)]
    fn read_ipv6(ctx: &TcContext) -> Result<Self, Reason> {
        let next = ctx.load::<u8>(NETWORK + 6).map_err(|_| Reason::Malformed)?;
        let source = ctx.load::<Addr>(NETWORK + 8).map_err(|_| Reason::Malformed)?;
        let destination = ctx.load::<Addr>(NETWORK + 24).map_err(|_| Reason::Malformed)?;
        let (protocol, transport) = skip_extensions(ctx, next, NETWORK + 40)?;
        Ok(Self { source, destination, transport, protocol })
    }

    /// Reads the TCP header behind it.
    #[inline(always)]
    pub(crate) fn read_segment(self, ctx: &TcContext) -> Result<Headers, Reason> {
        let Self { source, destination, transport, protocol } = self;
        if protocol != TCP {
            return Err(Reason::NotTcp);
        }
        let header = ctx.load::<[u16; 10]>(transport).map_err(|_| Reason::Malformed)?;
        let [source_port, destination_port, _, _, _, _, control, ..] = header;
        let opens = u16::from_be(control) & (TCP_SYN | TCP_ACK) == TCP_SYN;
        let segment = Segment { source, destination, source_port, destination_port, opens };
        Ok(Headers { segment, transport })
    }
}

/// The destination address of a frame of which nothing else is known.
#[inline(always)]
pub(crate) fn destination(ctx: &TcContext) -> Option<Addr> {
    match u16::from_be(ctx.load::<u16>(ETHERTYPE).ok()?) {
        ETHERTYPE_IPV4 => ctx.load::<[u8; 4]>(NETWORK + 16).ok().map(Addr::v4),
        ETHERTYPE_IPV6 => ctx.load::<Addr>(NETWORK + 24).ok(),
        _ => None,
    }
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

/// Offset of the EtherType in an untagged frame.
const ETHERTYPE: usize = 12;
/// Offset of the network header in an untagged frame.
pub(crate) const NETWORK: usize = 14;
const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const IPV4_FRAGMENT_OFFSET: u32 = 0x1fff;
const IPV6_FRAGMENT_OFFSET: u16 = 0xfff8;
const EXTENSION_HEADERS_MAX: usize = 4;
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION_OPTIONS: u8 = 60;
const TCP_SYN: u16 = 0x02;
const TCP_ACK: u16 = 0x10;
