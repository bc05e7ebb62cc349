//! Tells of the TCP connections of enrolled pods, whoever carries them.
//!
//! It changes no connection and decides nothing: it is the eye, not the hand.
//!
//! **Invariant:** nothing here waits; what finds no room is counted and lost.

use aya_ebpf::{
    EbpfContext as _,
    bindings::{
        BPF_F_NO_COMMON_LRU, BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP,
        BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB, BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB,
        BPF_SOCK_OPS_STATE_CB, BPF_SOCK_OPS_STATE_CB_FLAG, BPF_TCP_CLOSE, BPF_TCP_CLOSING,
        BPF_TCP_FIN_WAIT2, BPF_TCP_LAST_ACK, bpf_sock_ops,
    },
    helpers::{bpf_get_socket_cookie, bpf_ktime_get_ns},
    macros::map,
    maps::{LruHashMap, RingBuf},
    programs::SockOpsContext,
};
use waypoint_common::{
    addr::Addr,
    counter::Reason,
    watch::{Flow, OPEN_MAX, Open, RING_BYTES, flow_flag, kind},
};

use crate::{act::AF_INET, maps, tell};

#[map(name = "flows")]
static FLOWS: RingBuf = RingBuf::with_byte_size(RING_BYTES, 0);
#[map(name = "open_flows")]
static OPEN: LruHashMap<u64, Open> = LruHashMap::with_max_entries(OPEN_MAX, BPF_F_NO_COMMON_LRU);

/// Looks at what happened to a socket.
#[inline(always)]
pub(crate) fn watch(ctx: &SockOpsContext) {
    match ctx.op() {
        BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB => opened(ctx, flow_flag::INITIATED),
        BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB => opened(ctx, 0),
        BPF_SOCK_OPS_STATE_CB if ctx.arg(1) == BPF_TCP_CLOSE => closed(ctx),
        _ => {}
    }
}

/// Begins to watch a connection of an enrolled pod.
#[inline(always)]
fn opened(ctx: &SockOpsContext, flags: u32) {
    let local = address(ctx, true);
    if maps::interface_of(&local).is_none() {
        return;
    }
    let callbacks = ctx.cb_flags() | BPF_SOCK_OPS_STATE_CB_FLAG;
    if ctx.set_cb_flags(callbacks as i32).is_err() {
        return tell::count(Reason::FlowLost, 0);
    }
    // SAFETY: the helpers take the context, or nothing.
    let (cookie, now) = unsafe { (bpf_get_socket_cookie(ctx.as_ptr()), bpf_ktime_get_ns()) };
    let open = Open { start_ns: now, flags, pad: 0 };
    if OPEN.insert(&cookie, &open, 0).is_err() {
        tell::count(Reason::FlowLost, 0);
    }
    tell::count(Reason::FlowOpened, 0);
    put(&Flow {
        time_ns: now,
        start_ns: now,
        cookie,
        sent: 0,
        received: 0,
        kind: kind::OPENED,
        flags,
        local,
        remote: address(ctx, false),
        local_port: local_port(ctx),
        remote_port: remote_port(ctx),
        srtt_us: word(ctx, |ops| unsafe { &raw const (*ops).srtt_us }) >> SRTT_SHIFT,
        retransmissions: 0,
        pad: 0,
    });
}

/// Tells of the end of a connection that is watched.
#[inline(always)]
fn closed(ctx: &SockOpsContext) {
    // SAFETY: the helpers take the context, or nothing.
    let (cookie, now) = unsafe { (bpf_get_socket_cookie(ctx.as_ptr()), bpf_ktime_get_ns()) };
    // SAFETY: the element is copied at once, and only this socket's callbacks write it.
    let open = unsafe { OPEN.get(&cookie) }.copied();
    let Open { start_ns, flags, .. } = open.unwrap_or(Open { start_ns: now, flags: 0, pad: 0 });
    let _gone = OPEN.remove(&cookie);
    // SAFETY: the context is valid for as long as the program runs.
    let (acked, received) = unsafe {
        (
            (&raw const (*ctx.ops).bytes_acked).read_volatile(),
            (&raw const (*ctx.ops).bytes_received).read_volatile(),
        )
    };
    let fin = fins(ctx.arg(0));
    tell::count(Reason::FlowClosed, 0);
    put(&Flow {
        time_ns: now,
        start_ns,
        cookie,
        sent: acked.saturating_sub(fin + u64::from(flags & flow_flag::INITIATED)),
        received: received.saturating_sub(fin),
        kind: kind::CLOSED,
        flags,
        local: address(ctx, true),
        remote: address(ctx, false),
        local_port: local_port(ctx),
        remote_port: remote_port(ctx),
        srtt_us: word(ctx, |ops| unsafe { &raw const (*ops).srtt_us }) >> SRTT_SHIFT,
        retransmissions: word(ctx, |ops| unsafe { &raw const (*ops).total_retrans }),
        pad: 0,
    });
}

/// Whether each side's FIN was acknowledged, which the kernel counts as a byte, before the socket
/// left this state for its end; so it does with a SYN that we sent.
#[inline(always)]
fn fins(state: u32) -> u64 {
    u64::from(matches!(state, BPF_TCP_LAST_ACK | BPF_TCP_FIN_WAIT2 | BPF_TCP_CLOSING))
}

/// Hands a record over, or counts that there was no room.
#[inline(always)]
fn put(flow: &Flow) {
    match FLOWS.reserve::<Flow>(0) {
        Some(mut entry) => {
            entry.write(*flow);
            entry.submit(wake_up());
        }
        None => tell::count(Reason::FlowLost, 0),
    }
}

/// Whether the reader is woken: only when it falls behind. To wake it costs several times what the
/// record does, and it looks by itself twenty times a second.
#[inline(always)]
fn wake_up() -> u64 {
    let waiting = FLOWS.query(BPF_RB_AVAIL_DATA.into());
    let flag = if waiting < WAKE_UP_BYTES { BPF_RB_NO_WAKEUP } else { BPF_RB_FORCE_WAKEUP };
    flag.into()
}

/// An address of the socket, read word by word: the kernel allows no other width, and LLVM would
/// merge reads that are not volatile. Both families are read, as the kernel also wants each offset
/// to be a constant.
#[inline(always)]
fn address(ctx: &SockOpsContext, local: bool) -> Addr {
    let ops = ctx.ops;
    // SAFETY: the context is valid for as long as the program runs.
    unsafe {
        let (v4, v6): (*const u32, *const u32) = if local {
            (&raw const (*ops).local_ip4, (&raw const (*ops).local_ip6).cast())
        } else {
            (&raw const (*ops).remote_ip4, (&raw const (*ops).remote_ip6).cast())
        };
        let v4 = v4.read_volatile();
        let words = [
            v6.read_volatile(),
            v6.add(1).read_volatile(),
            v6.add(2).read_volatile(),
            v6.add(3).read_volatile(),
        ];
        if (*ops).family == AF_INET { Addr::v4(v4.to_ne_bytes()) } else { Addr::from_words(words) }
    }
}

/// The socket's own port, in network byte order; the kernel has it in the host's.
#[inline(always)]
fn local_port(ctx: &SockOpsContext) -> u16 {
    let port = word(ctx, |ops| unsafe { &raw const (*ops).local_port });
    (port as u16).to_be()
}

/// The other side's port, in network byte order; the kernel has it in the upper half of a word that
/// is in network byte order.
#[inline(always)]
fn remote_port(ctx: &SockOpsContext) -> u16 {
    let port = word(ctx, |ops| unsafe { &raw const (*ops).remote_port });
    (u32::from_be(port) as u16).to_be()
}

/// A word of the context, read alone.
#[inline(always)]
fn word(ctx: &SockOpsContext, field: impl FnOnce(*mut bpf_sock_ops) -> *const u32) -> u32 {
    // SAFETY: the context is valid for as long as the program runs.
    unsafe { field(ctx.ops).read_volatile() }
}

/// From how much unread on the reader is woken.
const WAKE_UP_BYTES: u64 = RING_BYTES as u64 / 4;

/// The kernel keeps the smoothed round-trip time in eighths of a microsecond.
const SRTT_SHIFT: u32 = 3;
