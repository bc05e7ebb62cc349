//! Carries out what was decided about packets for a pod.

use aya_ebpf::programs::TcContext;
use waypoint_common::{
    arrival::receive,
    counter::Reason,
    redirect::{Config, PodOfInterface, Segment, Verdict},
};

use crate::{act, maps::KernelTables, tell};

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

/// Does it. Most packets are none of ours, and nothing is counted for them.
#[inline(always)]
pub(crate) fn carry_out(ctx: &TcContext, verdict: Verdict, config: &Config) -> i32 {
    let reason = verdict.reason();
    if reason as u32 == Reason::NotInbound as u32 {
        return act::NEXT;
    }
    tell::count(reason, u64::from(ctx.len()));
    match verdict {
        Verdict::Pass(_) => act::NEXT,
        Verdict::Capture(_) => act::to_agent(ctx, config),
        Verdict::Refuse(_) | Verdict::Drop(_) => act::DROP,
    }
}
