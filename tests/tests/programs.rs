//! The eBPF programs, run by the kernel on frames that tests make (BPF_PROG_TEST_RUN).
//!
//! Needs root, and the object that `cargo xtask build-ebpf` makes. Nothing is attached or pinned.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test crate, all of it; clippy knows only functions marked as tests"
)]

#[cfg(test)]
#[path = "programs/inward.rs"]
mod inward;
#[path = "programs/loaded.rs"]
mod loaded;
#[path = "programs/packet.rs"]
mod packet;

use loaded::{Loaded, POD_V4, POD_V6, SLOT};
use packet::{ACK, GATEWAY_MAC, POD_MAC, RST_ACK, SYN, Tcp, transport_checksum};
use waypoint_common::{
    counter::Reason,
    program::{FROM_AGENT, FROM_POD},
    redirect::{config_flag, destination_flag::FAIL_CLOSED, mark, pod_flag, slot},
};

const NEXT: i32 = -1;
const SHOT: i32 = 2;
const REDIRECT: i32 = 7;
const VIP_V4: &str = "10.96.0.10";
const VIP_V6: &str = "fd00:96::10";
/// The kernel runs no program on less: Ethernet and a network header.
const SHORTEST_FRAME: usize = 14 + 40;
/// The most instructions that the verifier may walk through for one program.
const VERIFIER_BUDGET: u32 = 4400;

#[test]
fn every_program_fits_the_verifier_budget() {
    for (name, instructions) in Loaded::new().verified_instructions() {
        println!("{name}: {instructions} instructions processed");
        assert!(instructions <= VERIFIER_BUDGET, "{name} takes {instructions}");
    }
}

#[test]
fn a_syn_to_a_captured_destination_goes_to_the_agent_and_names_its_pod() {
    for (pod, vip, any, listener_slot) in families() {
        let mut programs = Loaded::new();
        programs.capture(vip, 80, 0);
        let _listener = programs.listen(listener_slot, any);
        let outcome = programs.run(FROM_POD, &Tcp::syn(pod, vip, 80).frame());
        assert_eq!(outcome.reasons, [Reason::Captured], "{vip}");
        assert_eq!(outcome.action, REDIRECT);
        assert_eq!(outcome.mark, mark(SLOT));
    }
}

#[test]
fn an_entry_for_every_port_captures_every_port() {
    for (pod, vip, any, listener_slot) in families() {
        let mut programs = Loaded::new();
        programs.capture(vip, 0, 0);
        let _listener = programs.listen(listener_slot, any);
        for port in [1, 80, 65_535] {
            let outcome = programs.run(FROM_POD, &Tcp::syn(pod, vip, port).frame());
            assert_eq!(outcome.reasons, [Reason::Captured], "{vip} {port}");
        }
    }
}

#[test]
fn a_destination_without_an_entry_is_left_alone() {
    for (pod, vip, _, _) in families() {
        let mut programs = Loaded::new();
        programs.capture(vip, 80, 0);
        let frame = Tcp::syn(pod, vip, 81).frame();
        let outcome = programs.run(FROM_POD, &frame);
        assert_eq!((outcome.action, outcome.reasons), (NEXT, vec![Reason::Miss]), "{vip}");
        assert_eq!((outcome.frame, outcome.mark), (frame, 0));
    }
}

#[test]
fn without_a_listener_an_open_destination_passes_and_a_closed_one_is_reset() {
    for (pod, vip, _, _) in families() {
        let mut programs = Loaded::new();
        programs.capture(vip, 80, 0);
        programs.capture(vip, 81, FAIL_CLOSED);
        let open = programs.run(FROM_POD, &Tcp::syn(pod, vip, 80).frame());
        assert_eq!((open.action, open.reasons), (NEXT, vec![Reason::FailOpen]), "{vip}");
        let closed = programs.run(FROM_POD, &Tcp::syn(pod, vip, 81).frame());
        assert_eq!((closed.action, closed.reasons), (REDIRECT, vec![Reason::FailClosed]), "{vip}");
    }
}

#[test]
fn a_bypassed_agent_gets_nothing_new() {
    for (pod, vip, any, listener_slot) in families() {
        let mut programs = Loaded::new();
        programs.capture(vip, 80, 0);
        programs.capture(vip, 81, FAIL_CLOSED);
        programs.configure(config_flag::BYPASS);
        let _listener = programs.listen(listener_slot, any);
        let open = programs.run(FROM_POD, &Tcp::syn(pod, vip, 80).frame());
        assert_eq!((open.action, open.reasons), (NEXT, vec![Reason::Bypass]), "{vip}");
        let closed = programs.run(FROM_POD, &Tcp::syn(pod, vip, 81).frame());
        assert_eq!((closed.action, closed.reasons), (REDIRECT, vec![Reason::FailClosed]), "{vip}");
    }
}

#[test]
fn a_refused_syn_becomes_the_reset_that_answers_it() {
    for (pod, vip, _, _) in families() {
        let mut programs = Loaded::new();
        programs.refuse(vip, 80);
        let syn = Tcp::syn(pod, vip, 80);
        let outcome = programs.run(FROM_POD, &syn.frame());
        assert_eq!((outcome.action, outcome.reasons), (REDIRECT, vec![Reason::Refused]), "{vip}");
        let frame = outcome.frame;
        assert_eq!((&frame[..6], &frame[6..12]), (&POD_MAC[..], &GATEWAY_MAC[..]));
        let transport = frame.len() - 24;
        let segment = &frame[transport..];
        assert_eq!(segment[..4], [0, 80, 0x9c, 0x40], "ports change places");
        assert_eq!(segment[4..8], [0; 4], "the sequence number is zero");
        assert_eq!(segment[8..12], (syn.sequence + 1).to_be_bytes(), "the SYN is acknowledged");
        assert_eq!(segment[13], RST_ACK);
        assert_eq!(transport_checksum(syn.destination, syn.source, segment), 0);
        let swapped = Tcp { source: syn.destination, destination: syn.source, ..syn }.frame();
        assert_eq!(frame[14..transport], swapped[14..transport], "addresses change places");
    }
}

#[test]
fn ipv4_options_are_looked_through() {
    let mut programs = Loaded::new();
    programs.refuse(VIP_V4, 80);
    for words in 1..=10 {
        let syn = Tcp { ip_options: vec![1; words * 4], ..Tcp::syn(POD_V4, VIP_V4, 80) };
        let outcome = programs.run(FROM_POD, &syn.frame());
        assert_eq!(outcome.reasons, [Reason::Refused], "{words} words");
        let segment = &outcome.frame[34 + words * 4..];
        assert_eq!(transport_checksum(syn.destination, syn.source, segment), 0);
    }
}

#[test]
fn the_first_fragment_is_decided_and_later_ones_are_left_alone() {
    let mut programs = Loaded::new();
    programs.refuse(VIP_V4, 80);
    programs.refuse(VIP_V6, 80);
    let v4 = |fragment| Tcp { fragment, ..Tcp::syn(POD_V4, VIP_V4, 80) }.frame();
    assert_eq!(programs.run(FROM_POD, &v4(0x2000)).reasons, [Reason::Refused]);
    assert_eq!(programs.run(FROM_POD, &v4(0x2001)).reasons, [Reason::Fragment]);
    assert_eq!(programs.run(FROM_POD, &v4(0x1fff)).reasons, [Reason::Fragment]);
    let v6 = |offset: u8| {
        let extensions = vec![(44, vec![0, 0, offset, 0, 0, 0, 1])];
        Tcp { extensions, ..Tcp::syn(POD_V6, VIP_V6, 80) }.frame()
    };
    assert_eq!(programs.run(FROM_POD, &v6(1)).reasons, [Reason::Refused]);
    assert_eq!(programs.run(FROM_POD, &v6(8)).reasons, [Reason::Fragment]);
}

#[test]
fn up_to_four_ipv6_extension_headers_are_looked_through() {
    let mut programs = Loaded::new();
    programs.refuse(VIP_V6, 80);
    let long = (60, vec![1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let all = [(0, vec![0; 7]), (43, vec![0; 7]), long, (44, vec![0; 7]), (60, vec![0; 7])];
    for count in 0..=5 {
        let extensions = all[..count].to_vec();
        let syn = Tcp { extensions, ..Tcp::syn(POD_V6, VIP_V6, 80) };
        let expected = if count <= 4 { Reason::Refused } else { Reason::ExtensionHeaders };
        let outcome = programs.run(FROM_POD, &syn.frame());
        assert_eq!(outcome.reasons, [expected], "{count} extension headers");
        assert_eq!(outcome.action, if count <= 4 { REDIRECT } else { NEXT });
    }
}

#[test]
fn a_captured_destination_takes_no_foreign_source() {
    for (_, vip, any, listener_slot) in families() {
        let foreign = if vip == VIP_V4 { "10.1.0.3" } else { "fd00:1::3" };
        let mut programs = Loaded::new();
        programs.capture(vip, 80, 0);
        let _listener = programs.listen(listener_slot, any);
        let spoofed = programs.run(FROM_POD, &Tcp::syn(foreign, vip, 80).frame());
        assert_eq!((spoofed.action, spoofed.reasons), (SHOT, vec![Reason::Spoofed]), "{vip}");
        let elsewhere = programs.run(FROM_POD, &Tcp::syn(foreign, vip, 81).frame());
        assert_eq!((elsewhere.action, elsewhere.reasons), (NEXT, vec![Reason::Miss]), "{vip}");
    }
}

#[test]
fn an_unenrolled_pod_opens_nothing_that_is_captured() {
    for (pod, vip, any, listener_slot) in families() {
        let mut programs = Loaded::new();
        programs.capture(vip, 80, FAIL_CLOSED);
        let _listener = programs.listen(listener_slot, any);
        programs.enrol(pod_flag::ANTI_SPOOF);
        let outcome = programs.run(FROM_POD, &Tcp::syn(pod, vip, 80).frame());
        assert_eq!((outcome.action, outcome.reasons), (NEXT, vec![Reason::NotEnrolled]), "{vip}");
    }
}

#[test]
fn later_packets_of_an_unknown_connection_are_left_alone() {
    for (pod, vip, _, _) in families() {
        let mut programs = Loaded::new();
        programs.capture(vip, 80, FAIL_CLOSED);
        for flags in [ACK, SYN | ACK, RST_ACK, 0x11, 0] {
            let outcome = programs.run(FROM_POD, &Tcp::syn(pod, vip, 80).flags(flags).frame());
            assert_eq!(outcome.reasons, [Reason::NotCaptured], "{vip} {flags:#x}");
            assert_eq!(outcome.action, NEXT);
        }
    }
}

#[test]
fn what_is_cut_short_or_not_tcp_is_left_alone() {
    let mut programs = Loaded::new();
    programs.refuse(VIP_V4, 80);
    programs.refuse(VIP_V6, 80);
    for frame in [Tcp::syn(POD_V4, VIP_V4, 80).frame(), Tcp::syn(POD_V6, VIP_V6, 80).frame()] {
        let header = frame.len() - 4;
        for length in SHORTEST_FRAME..header {
            let outcome = programs.run(FROM_POD, &frame[..length]);
            assert_eq!((outcome.action, outcome.reasons), (NEXT, vec![Reason::Malformed]));
        }
        let mut tagged = frame.clone();
        tagged.splice(12..12, [0x81, 0, 0, 5]);
        assert_eq!(programs.run(FROM_POD, &tagged).reasons, [Reason::NotTcp]);
    }
    let mut udp = Tcp::syn(POD_V4, VIP_V4, 80).frame();
    udp[23] = 17;
    assert_eq!(programs.run(FROM_POD, &udp).reasons, [Reason::NotTcp]);
}

#[test]
fn what_hides_its_port_does_not_reach_an_address_that_fails_closed() {
    let mut programs = Loaded::new();
    programs.guard(VIP_V4);
    programs.guard(VIP_V6);
    let whole = Tcp { fragment: 0x2000, ..Tcp::syn(POD_V4, VIP_V4, 80) }.frame();
    // As much as fits into a first fragment of sixteen bytes.
    let tiny = &whole[..14 + 20 + 16];
    let elsewhere = Tcp { fragment: 0x2000, ..Tcp::syn(POD_V4, "10.96.0.11", 80) }.frame();
    let many = |vip| Tcp { extensions: vec![(60, vec![0; 7]); 5], ..Tcp::syn(POD_V6, vip, 80) };
    let dropped = [tiny.to_vec(), many(VIP_V6).frame()];
    for frame in dropped {
        let outcome = programs.run(FROM_POD, &frame);
        assert_eq!((outcome.action, outcome.reasons), (SHOT, vec![Reason::Undecidable]));
    }
    let outcome = programs.run(FROM_POD, &elsewhere[..14 + 20 + 20 - 4]);
    assert_eq!((outcome.action, outcome.reasons), (NEXT, vec![Reason::Malformed]));
    let outcome = programs.run(FROM_POD, &many("fd00:96::11").frame());
    assert_eq!((outcome.action, outcome.reasons), (NEXT, vec![Reason::ExtensionHeaders]));
}

#[test]
fn the_agent_reaches_pods_of_this_node_and_nothing_else() {
    for (pod, vip, _, _) in families() {
        let mut programs = Loaded::new();
        let reply = programs.run(FROM_AGENT, &Tcp::syn(vip, pod, 80).flags(SYN | ACK).frame());
        assert_eq!((reply.action, reply.reasons), (REDIRECT, vec![Reason::ToPod]), "{vip}");
        let stray = programs.run(FROM_AGENT, &Tcp::syn(pod, vip, 80).frame());
        assert_eq!((stray.action, stray.reasons), (SHOT, vec![Reason::ToUnknown]), "{vip}");
    }
}

#[test]
fn the_agent_may_look_for_its_neighbours() {
    let mut programs = Loaded::new();
    let mut arp = Tcp::syn(POD_V4, VIP_V4, 80).frame();
    arp.splice(12..14, [0x08, 0x06]);
    assert_eq!(programs.run(FROM_AGENT, &arp).action, NEXT);
    let mut solicitation = Tcp::syn(VIP_V6, "ff02::1", 80).frame();
    solicitation[20] = 58;
    solicitation[54] = 135;
    assert_eq!(programs.run(FROM_AGENT, &solicitation).action, NEXT);
    solicitation[54] = 128;
    assert_eq!(programs.run(FROM_AGENT, &solicitation).action, SHOT);
}

/// Pod, destination, wildcard address and listener slot, once for each family.
fn families() -> [(&'static str, &'static str, &'static str, u32); 2] {
    [(POD_V4, VIP_V4, "127.0.0.1", slot::TCP4), (POD_V6, VIP_V6, "::1", slot::TCP6)]
}
