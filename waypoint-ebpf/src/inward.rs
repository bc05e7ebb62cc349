//! Carries out what was decided about packets for a pod.

use aya_ebpf::{bindings::BPF_F_INGRESS, programs::TcContext};
use waypoint_common::{
    arrival::receive,
    counter::Reason,
    redirect::{Config, PodOfInterface, Segment, Verdict},
};

use crate::{
    act, gate,
    maps::KernelTables,
    parse::{Headers, destination},
    tell,
};

/// Asks the decision about a segment; a function of its own to the kernel, as `act::judge` is.
#[inline(never)]
pub(crate) fn judge(
    ctx: &TcContext,
    segment: &Segment,
    pod: &PodOfInterface,
    config: &Config,
    verdict: &mut Verdict,
) {
    *verdict = receive(segment, pod, config.flags, &KernelTables::new(ctx, config));
}

/// Decides about a packet that is no readable TCP segment: it passes, unless it may hide a
/// connection to a pod that does not take every one.
#[inline(never)]
pub(crate) fn unreadable(ctx: &TcContext, reason: Reason) -> i32 {
    let hides = matches!(reason, Reason::Malformed | Reason::ExtensionHeaders)
        && destination(ctx).is_some_and(gate::refuses);
    if !hides {
        return act::NEXT;
    }
    tell::count(Reason::Undecidable, u64::from(ctx.len()));
    act::DROP
}

/// Does it. Most packets are none of ours, and nothing is counted for them.
#[inline(always)]
pub(crate) fn carry_out(
    ctx: &TcContext,
    verdict: Verdict,
    headers: &Headers,
    pod: &PodOfInterface,
    config: &Config,
) -> i32 {
    let reason = verdict.reason();
    if reason as u32 == Reason::NotInbound as u32 {
        return act::NEXT;
    }
    match verdict {
        Verdict::Pass(Reason::Exempt) | Verdict::Capture(_) => {
            tell::count(reason, u64::from(ctx.len()));
        }
        _ => {
            tell::record(ctx, reason, headers, pod.slot);
            gate::note(&headers.segment, reason);
        }
    }
    match verdict {
        Verdict::Pass(_) => act::NEXT,
        Verdict::Capture(_) => act::to_agent(ctx, config),
        Verdict::Refuse(_) => {
            let is_v4 = headers.segment.destination.is_v4();
            act::refuse(ctx, headers.transport, is_v4, u64::from(BPF_F_INGRESS))
        }
        Verdict::Drop(_) => act::DROP,
    }
}
