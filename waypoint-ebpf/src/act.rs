//! Carries verdicts out.
//!
//! It decides nothing: which packet is captured, refused or dropped is `decide`'s. What it did it
//! leaves to [`tell`].

use aya_ebpf::{
    EbpfContext as _,
    bindings::{BPF_F_INGRESS, BPF_SK_LOOKUP_F_REPLACE, TC_ACT_SHOT, tcx_action_base::TCX_NEXT},
    helpers::{bpf_redirect, bpf_redirect_peer, bpf_sk_assign},
    programs::{SkLookupContext, TcContext},
};
use waypoint_common::{
    counter::Reason,
    redirect::{
        Config, InterfaceOfPod, PROBE_SLOT, Packet, PodOfInterface, Segment, TUNNEL_PORT, Verdict,
        decide, mark, slot,
    },
};

use crate::{
    maps::{self, KernelTables},
    parse::{Headers, NETWORK, Network, destination},
    tell,
};

/// Leave the packet to the next program on the hook, and to the node's own network.
pub(crate) const NEXT: i32 = TCX_NEXT;

/// Asks the decision about a segment.
///
/// It is a function of its own to the kernel: the verifier then follows what comes after it once
/// for each verdict, and not once for each way that leads to it.
#[inline(never)]
pub(crate) fn judge(
    ctx: &TcContext,
    segment: &Segment,
    pod: &PodOfInterface,
    config: &Config,
    verdict: &mut Verdict,
) {
    let tables = KernelTables::new(ctx, config);
    *verdict = decide(Packet::Tcp(segment), pod, config.flags, &tables);
}

/// Decides about a packet that is no readable TCP segment: it passes, unless it may hide a
/// connection to what fails closed.
#[inline(never)]
pub(crate) fn unreadable(ctx: &TcContext, reason: Reason) -> i32 {
    let hides = matches!(reason, Reason::Malformed | Reason::ExtensionHeaders)
        && destination(ctx).is_some_and(|address| maps::is_guarded(&address));
    let reason = if hides { Reason::Undecidable } else { reason };
    tell::count(reason, u64::from(ctx.len()));
    if hides { DROP } else { NEXT }
}

/// Does what was decided about a packet of a pod.
#[inline(always)]
pub(crate) fn carry_out(
    ctx: &TcContext,
    verdict: Verdict,
    headers: &Headers,
    pod: &PodOfInterface,
    config: &Config,
) -> i32 {
    let reason = if pod.slot == PROBE_SLOT { Reason::Probe } else { verdict.reason() };
    match verdict {
        Verdict::Pass(Reason::FailOpen) | Verdict::Refuse(_) | Verdict::Drop(_) => {
            tell::record(ctx, reason, headers, pod.slot);
        }
        Verdict::Pass(_) | Verdict::Capture(_) => tell::count(reason, u64::from(ctx.len())),
    }
    match verdict {
        Verdict::Pass(_) => NEXT,
        Verdict::Capture(_) => {
            set_mark(ctx, mark(pod.slot));
            into(ctx, config.agent_if)
        }
        Verdict::Refuse(_) => {
            refuse(ctx, headers.transport, headers.segment.destination.is_v4(), 0)
        }
        Verdict::Drop(_) => DROP,
    }
}

/// Hands a packet of the agent to the pod of this node that it is for. What it says in a pod's
/// tunnel to somebody elsewhere leaves as the pod's own; nothing else leaves the agent's namespace,
/// except what it needs to find its neighbours.
#[inline(always)]
pub(crate) fn deliver(ctx: &TcContext) -> i32 {
    let network = match Network::read(ctx) {
        Ok(network) => network,
        Err(_) if ethertype(ctx) == ETHERTYPE_ARP => return NEXT,
        Err(reason) => return dropped(ctx, reason),
    };
    if let Some(pod) = maps::interface_of(&network.destination) {
        tell::count(Reason::ToPod, u64::from(ctx.len()));
        return into(ctx, pod.ifindex);
    }
    if is_neighbour_discovery(ctx, &network) {
        return NEXT;
    }
    let headers = match network.read_segment(ctx) {
        Ok(headers) => headers,
        Err(reason) => return dropped(ctx, reason),
    };
    if headers.segment.source_port == TUNNEL_PORT.to_be()
        && let Some(pod) = maps::interface_of(&headers.segment.source)
    {
        return as_pod(ctx, pod);
    }
    tell::record(ctx, Reason::ToUnknown, &headers, 0);
    DROP
}

/// Lets the packet come out of a pod's interface as if the pod had sent it, so that the node's
/// network treats it as it treats the pod. `from_pod` meets it there and passes it on.
#[inline(always)]
fn as_pod(ctx: &TcContext, pod: &InterfaceOfPod) -> i32 {
    tell::count(Reason::AsPod, u64::from(ctx.len()));
    if ctx.store(0, &pod.head, 0).is_err() {
        return DROP;
    }
    // SAFETY: the helper takes no pointer.
    action(unsafe { bpf_redirect(pod.ifindex, u64::from(BPF_F_INGRESS)) })
}

/// Hands a packet that is on its way out to the other end of the agent's veth.
#[inline(always)]
pub(crate) fn to_agent(ctx: &TcContext, config: &Config) -> i32 {
    // A frame that is addressed to the pod would be refused as another host's.
    if ctx.store(0, &config.inner_address, 0).is_err() {
        return DROP;
    }
    // SAFETY: the helper takes no pointer.
    action(unsafe { bpf_redirect(config.agent_if, 0) })
}

/// Gives a new connection of the agent's namespace to the agent's listener; false if there is none.
#[inline(always)]
pub(crate) fn assign_listener(ctx: &SkLookupContext) -> bool {
    // SAFETY: the context of an sk_lookup program is valid for as long as the program runs.
    let ingress = unsafe { (*ctx.lookup).ingress_ifindex };
    // `from_pod` asks for established connections of this namespace; the kernel then asks here
    // whether a listener would take the packet, in the name of the pod's interface. That is no
    // connection.
    if maps::config().is_some_and(|config| config.inner_if != 0 && config.inner_if != ingress) {
        return true;
    }
    let listener = maps::listener(slot_for(ctx));
    let assigned = listener.is_some_and(|socket| {
        // While programs are exchanged the former `steer` may have assigned the same socket
        // already.
        let flags = u64::from(BPF_SK_LOOKUP_F_REPLACE);
        // SAFETY: context and socket are valid for the call; the socket is released right after it.
        let result = unsafe { bpf_sk_assign(ctx.as_ptr(), socket.as_ptr(), flags) };
        maps::release(socket);
        result == 0
    });
    if assigned {
        tell::count(Reason::Steered, 0);
    } else {
        tell::no_listener(ctx);
    }
    assigned
}

/// The listener slot for a new connection: a tunnel to a pod of this node, or a captured one.
#[inline(always)]
fn slot_for(ctx: &SkLookupContext) -> u32 {
    let sought = tell::looked_up(ctx);
    let is_tunnel = sought.destination_port == TUNNEL_PORT.to_be()
        && maps::interface_of(&sought.destination).is_some();
    match (is_tunnel, sought.destination.is_v4()) {
        (false, true) => slot::TCP4,
        (false, false) => slot::TCP6,
        (true, true) => slot::INBOUND4,
        (true, false) => slot::INBOUND6,
    }
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

/// Turns a SYN into the reset that refuses it, and sends it back where it came from: out by the
/// interface that it came in by, or with `BPF_F_INGRESS` in by the one that it was to leave by.
///
/// It reads the packet again, and is a function of its own to the kernel, so as to have a stack of
/// its own.
#[inline(never)]
pub(crate) fn refuse(ctx: &TcContext, transport: usize, is_v4: bool, flags: u64) -> i32 {
    let turned =
        turn_segment(ctx, transport).and_then(|()| exchange::<[u16; 3]>(ctx, 0)).and_then(|()| {
            if is_v4 {
                exchange::<u32>(ctx, NETWORK + 12)
            } else {
                exchange::<[u32; 4]>(ctx, NETWORK + 8)
            }
        });
    if turned.is_err() {
        return DROP;
    }
    // SAFETY: the context of a tcx program is valid for as long as the program runs.
    let ifindex = unsafe { (*ctx.skb.skb).ifindex };
    // SAFETY: the helper takes no pointer.
    action(unsafe { bpf_redirect(ifindex, flags) })
}

/// Makes a SYN the reset that answers it (RFC 9293 section 3.5.2).
///
/// The checksum is told what changes and no more: addresses and ports only change places. So it is
/// right whether it is there already or, as usual on a veth, left to the device.
#[inline(always)]
fn turn_segment(ctx: &TcContext, transport: usize) -> Result<(), i64> {
    let sequence = ctx.load::<u32>(transport + 4)?;
    let acknowledged = ctx.load::<u32>(transport + 8)?;
    let control = ctx.load::<u32>(transport + 12)?;
    let next = u32::from_be(sequence).wrapping_add(1).to_be();
    let reset = u32::from_be(control) & 0xf000_0000 | TCP_RST_ACK;
    exchange::<u16>(ctx, transport)?;
    replace(ctx, transport, 4, (sequence, 0))?;
    replace(ctx, transport, 8, (acknowledged, next))?;
    replace(ctx, transport, 12, (control, reset.to_be()))
}

/// Replaces a word of the TCP header by another, and corrects the checksum.
#[inline(always)]
fn replace(
    ctx: &TcContext,
    transport: usize,
    offset: usize,
    (old, new): (u32, u32),
) -> Result<(), i64> {
    ctx.l4_csum_replace(transport + TCP_CHECKSUM, u64::from(old), u64::from(new), 4)?;
    ctx.store(transport + offset, &new, 0)
}

/// Exchanges two neighbouring fields.
#[inline(always)]
fn exchange<T>(ctx: &TcContext, offset: usize) -> Result<(), i64> {
    let second = offset + size_of::<T>();
    let (left, right) = (ctx.load::<T>(offset)?, ctx.load::<T>(second)?);
    ctx.store(offset, &right, 0)?;
    ctx.store(second, &left, 0)
}

/// Writes the packet mark. The write is volatile as the kernel allows no other width, and LLVM
/// would merge it with its neighbours.
#[inline(always)]
fn set_mark(ctx: &TcContext, mark: u32) {
    // SAFETY: the context of a tcx program is valid for as long as the program runs.
    unsafe { (&raw mut (*ctx.skb.skb).mark).write_volatile(mark) };
}

/// Drops a packet of the agent that is no TCP segment.
#[inline(always)]
fn dropped(ctx: &TcContext, reason: Reason) -> i32 {
    tell::count(reason, u64::from(ctx.len()));
    DROP
}

/// The frame's EtherType.
#[inline(always)]
fn ethertype(ctx: &TcContext) -> u32 {
    // SAFETY: the context of a tcx program is valid for as long as the program runs.
    u32::from_be(unsafe { (*ctx.skb.skb).protocol } << 16)
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

pub(crate) const DROP: i32 = TC_ACT_SHOT;
pub(crate) const AF_INET: u32 = 2;
const ETHERTYPE_ARP: u32 = 0x0806;
const ICMPV6: u8 = 58;
const PACKET_HOST: u32 = 0;
const TCP_CHECKSUM: usize = 16;
/// RST and ACK in the word of the TCP header that holds the flags; the window is zero.
const TCP_RST_ACK: u32 = 0x0014_0000;
