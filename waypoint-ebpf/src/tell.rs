//! Counts what the programs did, and tells about samples of it.
//!
//! Counters are exact and cheap; events are examples, at most one for each reason, CPU and
//! [`SAMPLE_INTERVAL_NS`], so that a flood cannot make the agent busy.

use aya_ebpf::{
    helpers::bpf_ktime_get_ns,
    programs::{SkLookupContext, TcContext},
};
use waypoint_common::{
    addr::Addr,
    counter::Reason,
    event::{Event, SAMPLE_INTERVAL_NS},
    redirect::{Segment, TCP},
};

use crate::{act::AF_INET, maps, parse::Headers};

/// Adds to a reason's counter of this CPU.
#[inline(always)]
pub(crate) fn count(reason: Reason, bytes: u64) {
    if let Some(counter) = maps::STATS.get_ptr_mut(reason as u32) {
        // SAFETY: the element is this CPU's own, and a program that counts the same reason does not
        // interrupt this one.
        unsafe {
            (*counter).packets += 1;
            (*counter).bytes += bytes;
        }
    }
}

/// Counts what was done with a packet, and tells about it.
#[inline(always)]
pub(crate) fn record(ctx: &TcContext, reason: Reason, headers: &Headers, slot: u16) {
    count(reason, u64::from(ctx.len()));
    // SAFETY: the context of a tcx program is valid for as long as the program runs.
    let ifindex = unsafe { (*ctx.skb.skb).ifindex };
    tell(reason, &headers.segment, ifindex, slot);
}

/// Counts a connection that found no listener, and tells about it.
#[inline(always)]
pub(crate) fn no_listener(ctx: &SkLookupContext) {
    count(Reason::NoListener, 0);
    // SAFETY: the context of an sk_lookup program is valid for as long as the program runs.
    let ifindex = unsafe { (*ctx.lookup).ingress_ifindex };
    tell(Reason::NoListener, &looked_up(ctx), ifindex, 0);
}

/// Makes an event, unless there was one for the reason a moment ago.
///
/// It is a function of its own to the kernel, so as to have a stack of its own.
#[inline(never)]
fn tell(reason: Reason, segment: &Segment, ifindex: u32, slot: u16) {
    let Some(last) = maps::SAMPLED.get_ptr_mut(reason as u32) else { return };
    // SAFETY: the helper takes no pointer.
    let time_ns = unsafe { bpf_ktime_get_ns() };
    // SAFETY: the element is this CPU's own.
    if time_ns.wrapping_sub(unsafe { *last }) < SAMPLE_INTERVAL_NS {
        return;
    }
    // SAFETY: as above.
    unsafe { *last = time_ns };
    let Some(mut entry) = maps::EVENTS.reserve::<Event>(0) else {
        return count(Reason::EventLost, 0);
    };
    entry.write(Event {
        time_ns,
        reason: reason as u32,
        ifindex,
        source: segment.source,
        destination: segment.destination,
        source_port: segment.source_port,
        destination_port: segment.destination_port,
        slot,
        protocol: TCP,
        pad: 0,
        reserve: 0,
    });
    entry.submit(0);
}

/// The connection that an sk_lookup program was asked about.
#[inline(always)]
pub(crate) fn looked_up(ctx: &SkLookupContext) -> Segment {
    let lookup = ctx.lookup;
    // SAFETY: the context of an sk_lookup program is valid for as long as the program runs.
    unsafe {
        let (source, destination) = match (*lookup).family {
            AF_INET => (
                Addr::v4((*lookup).remote_ip4.to_ne_bytes()),
                Addr::v4((*lookup).local_ip4.to_ne_bytes()),
            ),
            _ => {
                (address(&raw const (*lookup).remote_ip6), address(&raw const (*lookup).local_ip6))
            }
        };
        let [.., high, low] = (*lookup).local_port.to_be_bytes();
        Segment {
            source,
            destination,
            source_port: (*lookup).remote_port,
            destination_port: u16::from_ne_bytes([high, low]),
            opens: true,
        }
    }
}

/// An address of the context, read word by word: the kernel allows no other width, and LLVM would
/// merge reads that are not volatile.
///
/// # Safety
///
/// The words must be readable.
#[inline(always)]
unsafe fn address(words: *const [u32; 4]) -> Addr {
    let word: *const u32 = words.cast();
    // SAFETY: there are four words, and the caller says that they are readable.
    Addr::from_words(unsafe {
        [
            word.read_volatile(),
            word.add(1).read_volatile(),
            word.add(2).read_volatile(),
            word.add(3).read_volatile(),
        ]
    })
}
