//! Waypoint's kernel side: the hooks, and nothing but the hooks.
//!
//! Each reads its packet ([`parse`]), asks a decision that userspace tests
//! ([`waypoint_common::redirect::decide`] about what a pod sends,
//! [`waypoint_common::arrival::receive`] about what it is sent) over the maps ([`maps`]), acts on
//! it ([`act`], [`inward`]) and says so ([`tell`]). None keeps state of its own: connections live
//! in the kernel's socket tables.
//!
//! **Invariant:** what is not captured, refused or spoofed goes on to the next program unchanged.
#![no_std]
#![no_main]
#![allow(
    clippy::needless_pass_by_value,
    missing_docs,
    unreachable_pub,
    reason = "the hook macros make public functions out of ones that take a context, and leave \
              their documentation behind"
)]

mod act;
mod gate;
mod inward;
mod maps;
mod parse;
mod tell;
mod watch;

use aya_ebpf::{
    bindings::sk_action::{SK_DROP, SK_PASS},
    macros::{classifier, sk_lookup, sock_ops},
    programs::{SkLookupContext, SockOpsContext, TcContext},
};
use waypoint_common::{counter::Reason, redirect::Verdict};

use self::parse::Headers;

/// tcx ingress on the host side of an enrolled pod's veth: packets that the pod sends.
#[classifier]
pub fn from_pod(ctx: TcContext) -> i32 {
    let (Some(pod), Some(config)) = (maps::pod_of(&ctx), maps::config()) else {
        return act::NEXT;
    };
    let headers = match Headers::read(&ctx) {
        Ok(headers) => headers,
        Err(reason) => return act::unreadable(&ctx, reason),
    };
    let mut verdict = Verdict::Pass(Reason::Miss);
    act::judge(&ctx, &headers.segment, pod, config, &mut verdict);
    act::carry_out(&ctx, verdict, &headers, pod, config)
}

/// tcx egress on the host side of an enrolled pod's veth: packets that are about to reach the pod.
#[classifier]
pub fn to_pod(ctx: TcContext) -> i32 {
    let (Some(pod), Some(config)) = (maps::pod_of(&ctx), maps::config()) else {
        return act::NEXT;
    };
    let headers = match Headers::read(&ctx) {
        Ok(headers) => headers,
        Err(reason) => return inward::unreadable(&ctx, reason),
    };
    let mut verdict = Verdict::Pass(Reason::NotInbound);
    inward::judge(&ctx, &headers.segment, pod, config, &mut verdict);
    inward::carry_out(&ctx, verdict, &headers, pod, config)
}

/// tcx ingress on the host side of the agent's veth: packets that the agent sends.
#[classifier]
pub fn from_agent(ctx: TcContext) -> i32 {
    act::deliver(&ctx)
}

/// sk_lookup in the agent's network namespace: whatever was captured reaches the agent's listener.
#[sk_lookup]
pub fn steer(ctx: SkLookupContext) -> u32 {
    if act::assign_listener(&ctx) { SK_PASS } else { SK_DROP }
}

/// sock_ops on the cgroups of pods: which connections they have, whoever carries them.
#[sock_ops]
pub fn watch(ctx: SockOpsContext) -> u32 {
    watch::watch(&ctx);
    1
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

// The kernel asks for a GPL-compatible licence before it lends bpf_ktime_get_ns.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
