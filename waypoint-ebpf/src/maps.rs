//! The maps, and [`Tables`] over them.
//!
//! Their names, keys and values are `waypoint-common`'s; only [`SAMPLED`] is known here alone.

use core::{ffi::c_void, ptr::NonNull};

use aya_ebpf::{
    bindings::{
        BPF_F_NO_PREALLOC, BPF_TCP_LISTEN, bpf_sock_tuple, bpf_sock_tuple__bindgen_ty_1,
        bpf_sock_tuple__bindgen_ty_1__bindgen_ty_1, bpf_sock_tuple__bindgen_ty_1__bindgen_ty_2,
    },
    helpers::{bpf_map_lookup_elem, bpf_sk_release, bpf_skc_lookup_tcp},
    macros::map,
    maps::{Array, HashMap, LpmTrie, PerCpuArray, RingBuf, SockMap, lpm_trie::Key},
    programs::TcContext,
};
use waypoint_common::{
    addr::Addr,
    counter::{Count, STATS_ENTRIES},
    event::RING_BYTES,
    redirect::{
        Config, Destination, DestinationKey, InterfaceOfPod, PodOfInterface, Range, Segment,
        Tables, destination_flag::FAIL_CLOSED, limit,
    },
};

#[map(name = "cfg")]
static CFG: Array<Config> = Array::with_max_entries(1, 0);
#[map(name = "wp_dst")]
static WP_DST: HashMap<DestinationKey, Destination> =
    HashMap::with_max_entries(limit::WP_DST, BPF_F_NO_PREALLOC);
#[map(name = "wp_net")]
static WP_NET: LpmTrie<Addr, Range> = LpmTrie::with_max_entries(limit::WP_NET, 0);
#[map(name = "if_pod")]
static IF_POD: HashMap<u32, PodOfInterface> =
    HashMap::with_max_entries(limit::IF_POD, BPF_F_NO_PREALLOC);
#[map(name = "pod_if")]
static POD_IF: HashMap<Addr, InterfaceOfPod> =
    HashMap::with_max_entries(limit::POD_IF, BPF_F_NO_PREALLOC);
#[map(name = "lsn")]
pub(crate) static LSN: SockMap = SockMap::with_max_entries(limit::LSN, 0);
#[map(name = "stats")]
pub(crate) static STATS: PerCpuArray<Count> = PerCpuArray::with_max_entries(STATS_ENTRIES, 0);
#[map(name = "events")]
pub(crate) static EVENTS: RingBuf = RingBuf::with_byte_size(RING_BYTES, 0);
/// When each reason last made an event on this CPU, in nanoseconds.
#[map(name = "sampled")]
pub(crate) static SAMPLED: PerCpuArray<u64> = PerCpuArray::with_max_entries(STATS_ENTRIES, 0);

/// The configuration; zeroes until the agent wrote one.
#[inline(always)]
pub(crate) fn config() -> Option<&'static Config> {
    CFG.get(0)
}

/// The pod behind the interface that the packet came in by.
#[inline(always)]
pub(crate) fn pod_of(ctx: &TcContext) -> Option<&'static PodOfInterface> {
    // SAFETY: the context of a tcx program is valid for as long as the program runs.
    let ifindex = unsafe { (*ctx.skb.skb).ifindex };
    // SAFETY: the map is made with BPF_F_NO_PREALLOC, so an element is freed only after this
    // program has ended, and the agent replaces elements as a whole.
    unsafe { IF_POD.get(ifindex) }
}

/// Where a pod's address is.
#[inline(always)]
pub(crate) fn interface_of(address: &Addr) -> Option<&'static InterfaceOfPod> {
    // SAFETY: as in `pod_of`.
    unsafe { POD_IF.get(address) }
}

/// Whether an address, or the range that it is in, has an entry that fails closed.
#[inline(always)]
pub(crate) fn is_guarded(address: &Addr) -> bool {
    // SAFETY: as in `pod_of`; nothing of the element is read.
    let own = unsafe { WP_DST.get(DestinationKey::guard(*address)) };
    own.is_some() || range_of(address).is_some_and(|range| range.flags & FAIL_CLOSED != 0)
}

/// The narrowest range that an address is in. The agent replaces elements as a whole, and one is
/// freed only after this program has ended.
#[inline(always)]
fn range_of(address: &Addr) -> Option<&'static Range> {
    WP_NET.get(Key::new(ADDRESS_BITS, *address))
}

/// The socket in a listener slot; the caller must release it.
#[inline(always)]
pub(crate) fn listener(slot: u32) -> Option<NonNull<c_void>> {
    // SAFETY: both pointers are valid for the call. The kernel sees the relocated address of the
    // map, and returns a counted reference to a socket, or null.
    let socket = unsafe {
        bpf_map_lookup_elem((&raw const LSN).cast_mut().cast(), (&raw const slot).cast())
    };
    NonNull::new(socket.cast())
}

/// Gives a socket back that [`listener`] or a lookup returned.
#[inline(always)]
pub(crate) fn release(socket: NonNull<c_void>) {
    // SAFETY: the caller holds the reference, and gives it up with its only pointer to it.
    unsafe { bpf_sk_release(socket.as_ptr().cast()) };
}

/// The tables of the decision, as the kernel has them.
pub(crate) struct KernelTables<'a> {
    ctx: &'a TcContext,
    agent_nsid: i32,
}

impl<'a> KernelTables<'a> {
    /// The tables for one packet.
    #[inline(always)]
    pub(crate) fn new(ctx: &'a TcContext, config: &Config) -> Self {
        Self { ctx, agent_nsid: config.agent_nsid }
    }

    /// The packet.
    #[inline(always)]
    pub(crate) fn ctx(&self) -> &TcContext {
        self.ctx
    }
}

impl Tables for KernelTables<'_> {
    #[inline(always)]
    fn destination(&self, key: &DestinationKey) -> Option<Destination> {
        // SAFETY: as in `pod_of`; the element is copied at once.
        unsafe { WP_DST.get(key) }.copied()
    }

    #[inline(always)]
    fn range(&self, address: &Addr) -> Option<&Range> {
        range_of(address)
    }

    #[inline(always)]
    fn established(&self, segment: &Segment) -> bool {
        connection(self.ctx, segment, self.agent_nsid)
    }

    #[inline(always)]
    fn listens(&self, slot: u32) -> bool {
        match listener(slot) {
            Some(socket) => {
                release(socket);
                true
            }
            None => false,
        }
    }
}

/// Whether the namespace has a connection of the segment's addresses and ports.
///
/// It is a function of its own to the kernel, so as to have a stack of its own.
#[inline(never)]
fn connection(ctx: &TcContext, segment: &Segment, nsid: i32) -> bool {
    // The verifier wants the length to be a constant, so each family has its own call.
    if segment.destination.is_v4() {
        has_socket(ctx, &mut tuple_v4(segment), TUPLE_V4_BYTES, nsid)
    } else {
        has_socket(ctx, &mut tuple_v6(segment), TUPLE_V6_BYTES, nsid)
    }
}

/// Whether the namespace has a socket of this tuple that is no listener. Request sockets and
/// TIME_WAIT count: the handshake's last ACK and a late FIN belong to the agent too.
#[inline(always)]
fn has_socket(ctx: &TcContext, tuple: &mut bpf_sock_tuple, bytes: u32, nsid: i32) -> bool {
    let Ok(nsid) = u64::try_from(nsid) else { return false };
    // SAFETY: context and tuple are valid for the call, and `bytes` is the length of the half of
    // the tuple that was filled in.
    let found = unsafe { bpf_skc_lookup_tcp(ctx.skb.skb.cast(), tuple, bytes, nsid, 0) };
    let Some(socket) = NonNull::new(found) else { return false };
    // SAFETY: the reference is counted, and given back below.
    let state = unsafe { (*socket.as_ptr()).state };
    release(socket.cast());
    state != BPF_TCP_LISTEN
}

/// The tuple of an IPv4 segment.
#[inline(always)]
fn tuple_v4(segment: &Segment) -> bpf_sock_tuple {
    let [_, _, _, saddr] = segment.source.words();
    let [_, _, _, daddr] = segment.destination.words();
    let (sport, dport) = (segment.source_port, segment.destination_port);
    let ipv4 = bpf_sock_tuple__bindgen_ty_1__bindgen_ty_1 { saddr, daddr, sport, dport };
    bpf_sock_tuple { __bindgen_anon_1: bpf_sock_tuple__bindgen_ty_1 { ipv4 } }
}

/// The tuple of an IPv6 segment.
#[inline(always)]
fn tuple_v6(segment: &Segment) -> bpf_sock_tuple {
    let (saddr, daddr) = (segment.source.words(), segment.destination.words());
    let (sport, dport) = (segment.source_port, segment.destination_port);
    let ipv6 = bpf_sock_tuple__bindgen_ty_1__bindgen_ty_2 { saddr, daddr, sport, dport };
    bpf_sock_tuple { __bindgen_anon_1: bpf_sock_tuple__bindgen_ty_1 { ipv6 } }
}

/// How many bits an address has in maps.
const ADDRESS_BITS: u32 = 128;
const TUPLE_V4_BYTES: u32 = 12;
const TUPLE_V6_BYTES: u32 = 36;
