//! Carries verdicts out, counts them and tells about samples of them.
//!
//! It decides nothing: which packet is captured, refused or dropped is `decide`'s.

use aya_ebpf::{
    EbpfContext as _,
    bindings::{TC_ACT_SHOT, tcx_action_base::TCX_NEXT},
    helpers::{bpf_ktime_get_ns, bpf_redirect, bpf_redirect_peer, bpf_sk_assign},
    programs::{SkLookupContext, TcContext},
};
use waypoint_common::{
    addr::Addr,
    counter::Reason,
    event::{Event, SAMPLE_INTERVAL_NS},
    redirect::{Config, Packet, PodOfInterface, Segment, TCP, Verdict, mark, slot},
};

use crate::{
    maps,
    parse::{self, NETWORK, Network, Parsed},
};

/// Leave the packet to the next program on the hook, and to the node's own network.
pub(crate) const NEXT: i32 = TCX_NEXT;

/// Does what was decided about a packet of a pod.
#[inline(always)]
pub(crate) fn carry_out(
    ctx: &TcContext,
    verdict: Verdict,
    parsed: &Parsed,
    pod: &PodOfInterface,
    config: &Config,
) -> i32 {
    record(ctx, verdict.reason(), &parsed.packet, pod.slot);
    match verdict {
        Verdict::Pass(_) => NEXT,
        Verdict::Capture(_) => {
            set_mark(ctx, mark(pod.slot));
            into(ctx, config.agent_if)
        }
        Verdict::Refuse(_) => refuse(ctx, parsed.transport, is_ipv4(ctx)),
        Verdict::Drop(_) => DROP,
    }
}

/// Hands a packet of the agent to the pod of this node that it is for. Nothing else leaves the agent's
/// namespace, except what it needs to find its neighbours.
#[inline(always)]
pub(crate) fn deliver(ctx: &TcContext) -> i32 {
    let network = match parse::network(ctx) {
        Ok(network) => network,
        Err(_) if is_arp(ctx) => return NEXT,
        Err(reason) => return dropped(ctx, reason, &Packet::Other(reason)),
    };
    if let Some(pod) = maps::interface_of(&network.destination) {
        count(Reason::ToPod, u64::from(ctx.len()));
        return into(ctx, pod.ifindex);
    }
    if is_neighbour_discovery(ctx, &network) {
        return NEXT;
    }
    match parse::segment(ctx, &network) {
        Ok(segment) => dropped(ctx, Reason::ToUnknown, &Packet::Tcp(segment)),
        Err(reason) => dropped(ctx, reason, &Packet::Other(reason)),
    }
}

/// Gives a new connection of the agent's namespace to the agent's listener; false if there is none.
#[inline(always)]
pub(crate) fn assign_listener(ctx: &SkLookupContext) -> bool {
    // SAFETY: the context of an sk_lookup program is valid for as long as the program runs.
    let (family, ingress) = unsafe { ((*ctx.lookup).family, (*ctx.lookup).ingress_ifindex) };
    // `from_pod` asks for established connections of this namespace; the kernel then asks here whether
    // a listener would take the packet, in the name of the pod's interface. That is no connection.
    if maps::config().is_some_and(|config| config.inner_if != 0 && config.inner_if != ingress) {
        return true;
    }
    let listener = maps::listener(if family == AF_INET { slot::TCP4 } else { slot::TCP6 });
    let Some(socket) = listener else {
        return no_listener(ctx);
    };
    // SAFETY: context and socket are valid for the call; the socket is released right after it.
    let assigned = unsafe { bpf_sk_assign(ctx.as_ptr(), socket.as_ptr(), 0) } == 0;
    maps::release(socket);
    if assigned {
        count(Reason::Steered, 0);
        return true;
    }
    no_listener(ctx)
}

/// Counts a reason, and tells about the packet if the reason is worth it.
#[inline(always)]
fn record(ctx: &TcContext, reason: Reason, packet: &Packet, slot: u16) {
    count(reason, u64::from(ctx.len()));
    if let Packet::Tcp(segment) = packet
        && is_noteworthy(reason)
    {
        tell(ctx, reason, segment, slot);
    }
}

/// Tells about a segment, unless the same was just told.
///
/// It is a function of its own to the kernel, so as to have a stack of its own.
#[inline(never)]
fn tell(ctx: &TcContext, reason: Reason, segment: &Segment, slot: u16) {
    // SAFETY: the context of a tcx program is valid for as long as the program runs.
    let ifindex = unsafe { (*ctx.skb.skb).ifindex };
    sample(reason, |time_ns| Event {
        time_ns,
        reason: reason as u32,
        ifindex,
        source: segment.source,
        destination: segment.destination,
        source_port: segment.source_port,
        destination_port: segment.destination_port,
        slot,
        protocol: TCP,
        pad: [0; 9],
    });
}

/// Whether a packet with this reason is worth telling about, beside counting it.
#[inline(always)]
const fn is_noteworthy(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Spoofed
            | Reason::FailOpen
            | Reason::FailClosed
            | Reason::Refused
            | Reason::ToUnknown
    )
}

/// Hands the packet to the other end of a veth, as if it had come out of it.
#[inline(always)]
fn into(ctx: &TcContext, ifindex: u32) -> i32 {
    // A frame that was meant for a bridge or a gateway would be refused as another host's.
    if ctx.skb.change_type(PACKET_HOST).is_err() {
        return DROP;
    }
    // SAFETY: the helper takes no pointer.
    action(unsafe { bpf_redirect_peer(ifindex, 0) })
}

/// Turns a SYN into the reset that refuses it, and sends it back where it came from.
///
/// It reads the packet again, and is a function of its own to the kernel, so as to have a stack of its own.
#[inline(never)]
fn refuse(ctx: &TcContext, transport: usize, is_v4: bool) -> i32 {
    let turned =
        turn_segment(ctx, transport).and_then(|()| exchange::<6>(ctx, 0)).and_then(
            |()| match is_v4 {
                true => exchange::<4>(ctx, NETWORK + 12),
                false => exchange::<16>(ctx, NETWORK + 8),
            },
        );
    if turned.is_err() {
        return DROP;
    }
    // SAFETY: the context of a tcx program is valid for as long as the program runs.
    let ifindex = unsafe { (*ctx.skb.skb).ifindex };
    // SAFETY: the helper takes no pointer.
    action(unsafe { bpf_redirect(ifindex, 0) })
}

/// Makes a SYN the reset that answers it (RFC 9293 section 3.5.2).
///
/// The checksum is told what changes and no more: addresses and ports only change places. So it is right
/// whether it is there already or, as usual on a veth, left to the device.
#[inline(always)]
fn turn_segment(ctx: &TcContext, transport: usize) -> Result<(), i64> {
    let [s0, s1, d0, d1] = ctx.load::<[u8; 4]>(transport)?;
    let sequence = ctx.load::<[u8; 4]>(transport + 4)?;
    let acknowledged = ctx.load::<[u8; 4]>(transport + 8)?;
    let control = ctx.load::<[u8; 4]>(transport + 12)?;
    let [offset, ..] = control;
    let next = u32::from_be_bytes(sequence).wrapping_add(1).to_be_bytes();
    ctx.store(transport, &[d0, d1, s0, s1], 0)?;
    replace(ctx, transport, 4, sequence, [0; 4])?;
    replace(ctx, transport, 8, acknowledged, next)?;
    replace(ctx, transport, 12, control, [offset, TCP_RST_ACK, 0, 0])
}

/// Replaces a word of the TCP header, and corrects the checksum.
#[inline(always)]
fn replace(
    ctx: &TcContext,
    transport: usize,
    offset: usize,
    old: [u8; 4],
    new: [u8; 4],
) -> Result<(), i64> {
    let (from, to) = (u32::from_ne_bytes(old), u32::from_ne_bytes(new));
    ctx.l4_csum_replace(transport + TCP_CHECKSUM, u64::from(from), u64::from(to), 4)?;
    ctx.store(transport + offset, &new, 0)
}

/// Exchanges two neighbouring fields of `N` bytes each.
#[inline(always)]
fn exchange<const N: usize>(ctx: &TcContext, offset: usize) -> Result<(), i64> {
    let first = ctx.load::<[u8; N]>(offset)?;
    let second = ctx.load::<[u8; N]>(offset + N)?;
    ctx.store(offset, &second, 0)?;
    ctx.store(offset + N, &first, 0)
}

/// Counts a packet of the agent that goes nowhere.
#[inline(always)]
fn dropped(ctx: &TcContext, reason: Reason, packet: &Packet) -> i32 {
    record(ctx, reason, packet, 0);
    DROP
}

/// Tells about a connection that found no listener. Always false.
#[inline(always)]
fn no_listener(ctx: &SkLookupContext) -> bool {
    count(Reason::NoListener, 0);
    sample(Reason::NoListener, |time_ns| lookup_event(ctx, time_ns));
    false
}

/// The event of a connection that found no listener.
#[inline(always)]
fn lookup_event(ctx: &SkLookupContext, time_ns: u64) -> Event {
    let lookup = ctx.lookup;
    // SAFETY: the context of an sk_lookup program is valid for as long as the program runs. The
    // kernel allows only reads of one word here, hence the volatile reads, which are never merged.
    let (remote, local, ifindex, protocol, remote_port, local_port) = unsafe {
        let v4 = (*lookup).family == AF_INET;
        (
            if v4 {
                from_word((*lookup).remote_ip4)
            } else {
                from_words(&raw const (*lookup).remote_ip6)
            },
            if v4 {
                from_word((*lookup).local_ip4)
            } else {
                from_words(&raw const (*lookup).local_ip6)
            },
            (*lookup).ingress_ifindex,
            (*lookup).protocol,
            (*lookup).remote_port,
            (*lookup).local_port,
        )
    };
    let [_, _, p0, p1] = local_port.to_be_bytes();
    Event {
        time_ns,
        reason: Reason::NoListener as u32,
        ifindex,
        source: remote,
        destination: local,
        source_port: remote_port,
        destination_port: u16::from_ne_bytes([p0, p1]),
        slot: 0,
        protocol: if protocol == u32::from(TCP) { TCP } else { 0 },
        pad: [0; 9],
    }
}

/// An IPv4 address out of a word in network byte order.
#[inline(always)]
fn from_word(word: u32) -> Addr {
    Addr::v4(word.to_ne_bytes())
}

/// An IPv6 address out of four words in network byte order.
///
/// # Safety
///
/// The words must be readable.
#[inline(always)]
unsafe fn from_words(words: *const [u32; 4]) -> Addr {
    let first: *const u32 = words.cast();
    let mut address = [0; 16];
    for (index, bytes) in address.chunks_exact_mut(4).enumerate() {
        // SAFETY: there are four chunks and four words.
        bytes.copy_from_slice(&unsafe { first.add(index).read_volatile() }.to_ne_bytes());
    }
    Addr::v6(address)
}

/// Adds to a reason's counter of this CPU.
#[inline(always)]
fn count(reason: Reason, bytes: u64) {
    if let Some(counter) = maps::STATS.get_ptr_mut(reason as u32) {
        // SAFETY: the element is this CPU's own, and the program is not preempted by another one that
        // counts the same reason.
        unsafe {
            (*counter).packets += 1;
            (*counter).bytes += bytes;
        }
    }
}

/// Makes an event, at most one in [`SAMPLE_INTERVAL_NS`] for each reason and CPU.
#[inline(always)]
fn sample(reason: Reason, event: impl FnOnce(u64) -> Event) {
    let Some(last) = maps::SAMPLED.get_ptr_mut(reason as u32) else { return };
    // SAFETY: the helper takes no pointer.
    let now = unsafe { bpf_ktime_get_ns() };
    // SAFETY: the element is this CPU's own.
    if now.wrapping_sub(unsafe { *last }) < SAMPLE_INTERVAL_NS {
        return;
    }
    // SAFETY: as above.
    unsafe { *last = now };
    if let Some(mut entry) = maps::EVENTS.reserve::<Event>(0) {
        entry.write(event(now));
        entry.submit(0);
    }
}

/// Writes the packet mark. The write is volatile as the kernel allows no other width, and LLVM would
/// merge it with its neighbours.
#[inline(always)]
fn set_mark(ctx: &TcContext, mark: u32) {
    // SAFETY: the context of a tcx program is valid for as long as the program runs.
    unsafe { (&raw mut (*ctx.skb.skb).mark).write_volatile(mark) };
}

/// Whether the frame is ARP.
#[inline(always)]
fn is_arp(ctx: &TcContext) -> bool {
    ethertype(ctx) == u32::from(ETHERTYPE_ARP.to_be())
}

/// Whether the frame is IPv4.
#[inline(always)]
fn is_ipv4(ctx: &TcContext) -> bool {
    ethertype(ctx) == u32::from(ETHERTYPE_IPV4.to_be())
}

/// The frame's EtherType, in network byte order.
#[inline(always)]
fn ethertype(ctx: &TcContext) -> u32 {
    // SAFETY: the context of a tcx program is valid for as long as the program runs.
    unsafe { (*ctx.skb.skb).protocol }
}

/// Whether the packet is Neighbour Discovery (RFC 4861 section 4).
#[inline(always)]
fn is_neighbour_discovery(ctx: &TcContext, network: &Network) -> bool {
    network.protocol == ICMPV6
        && ctx.load::<u8>(network.transport).is_ok_and(|kind| matches!(kind, 133..=137))
}

/// The action that a redirect helper returned; there are no others than small positive numbers.
#[inline(always)]
fn action(returned: i64) -> i32 {
    (returned & 0xff) as i32
}

const DROP: i32 = TC_ACT_SHOT as i32;
const AF_INET: u32 = 2;
const ETHERTYPE_ARP: u16 = 0x0806;
const ETHERTYPE_IPV4: u16 = 0x0800;
const ICMPV6: u8 = 58;
const PACKET_HOST: u32 = 0;
const TCP_CHECKSUM: usize = 16;
const TCP_RST_ACK: u8 = 0x14;
