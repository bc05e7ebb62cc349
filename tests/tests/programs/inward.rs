//! What a pod is sent: tunnels, and who may connect.

use waypoint_common::{
    admission::{mode, rule_flag::MUTUAL_TLS},
    counter::Reason,
    program::{FROM_AGENT, TO_POD},
    redirect::{TUNNEL_PORT, config_flag, pod_flag, slot},
};

use crate::{
    NEXT, REDIRECT, SHOT, families,
    loaded::{INNER_ADDRESS, Loaded},
    packet::{ACK, GATEWAY_MAC, POD_MAC, RST_ACK, SYN, Tcp, transport_checksum},
};

#[test]
fn a_tunnel_to_the_pod_goes_to_the_agents_end_of_its_veth() {
    for (pod, peer, any, _) in families() {
        let mut programs = Loaded::new();
        let frame = Tcp::syn(peer, pod, TUNNEL_PORT).frame();
        programs.enrol(pod_flag::CLIENT | pod_flag::INBOUND);
        let deaf = programs.run(TO_POD, &frame);
        assert_eq!((deaf.action, deaf.reasons, deaf.frame), (NEXT, vec![], frame.clone()), "{pod}");
        let _listener = programs.listen(inbound(pod), any);
        let outcome = programs.run(TO_POD, &frame);
        assert_eq!((outcome.action, outcome.reasons), (REDIRECT, vec![Reason::Inbound]), "{pod}");
        assert_eq!(outcome.frame[..6], INNER_ADDRESS);
        assert_eq!(outcome.frame[6..], frame[6..], "nothing else changes");
        programs.configure(config_flag::BYPASS);
        assert_eq!(programs.run(TO_POD, &frame).action, NEXT);
    }
}

#[test]
fn a_tunnel_is_not_taken_from_a_pod_that_is_not_enrolled_or_has_another_address() {
    for (pod, peer, any, _) in families() {
        let mut programs = Loaded::new();
        let _listener = programs.listen(inbound(pod), any);
        programs.enrol(pod_flag::CLIENT);
        assert_eq!(programs.run(TO_POD, &Tcp::syn(peer, pod, TUNNEL_PORT).frame()).action, NEXT);
        programs.enrol(pod_flag::INBOUND);
        let other = if pod.contains(':') { "fd00:1::3" } else { "10.1.0.3" };
        assert_eq!(programs.run(TO_POD, &Tcp::syn(peer, other, TUNNEL_PORT).frame()).action, NEXT);
    }
}

#[test]
fn what_the_agent_says_in_a_tunnel_leaves_as_the_pods_frame() {
    for (pod, peer, _, _) in families() {
        let mut programs = Loaded::new();
        let reply = Tcp { ports: (TUNNEL_PORT, 40_000), ..Tcp::syn(pod, peer, 0) };
        let outcome = programs.run(FROM_AGENT, &reply.flags(SYN | ACK).frame());
        assert_eq!((outcome.action, outcome.reasons), (REDIRECT, vec![Reason::AsPod]), "{pod}");
        assert_eq!(outcome.frame[..12], [&GATEWAY_MAC[..], &POD_MAC].concat());
        let forged = Tcp { ports: (TUNNEL_PORT, 40_000), ..Tcp::syn(peer, peer, 0) };
        let outcome = programs.run(FROM_AGENT, &forged.frame());
        assert_eq!((outcome.action, outcome.reasons), (SHOT, vec![Reason::ToUnknown]), "{pod}");
    }
}

#[test]
fn a_strict_pod_resets_a_stranger_and_lets_its_waypoint_in() {
    for (pod, peer, _, _) in families() {
        let mut programs = Loaded::new();
        programs.admit(pod, 0, mode::STRICT, 0);
        let syn = Tcp::syn(peer, pod, 80);
        let outcome = programs.run(TO_POD, &syn.frame());
        assert_eq!((outcome.action, outcome.reasons), (REDIRECT, vec![Reason::NotAdmitted]));
        let frame = outcome.frame;
        assert_eq!((&frame[..6], &frame[6..12]), (&POD_MAC[..], &GATEWAY_MAC[..]));
        let segment = &frame[frame.len() - 24..];
        assert_eq!((segment[13], &segment[..4]), (RST_ACK, &[0, 80, 0x9c, 0x40][..]), "{pod}");
        assert_eq!(transport_checksum(syn.destination, syn.source, segment), 0);
        let later = programs.run(TO_POD, &syn.clone().flags(ACK).frame());
        assert_eq!((later.action, later.reasons), (NEXT, vec![]), "what is open stays open");
        programs.let_in(peer);
        let let_in = programs.run(TO_POD, &syn.frame());
        assert_eq!((let_in.action, let_in.reasons), (NEXT, vec![]), "{pod}");
        programs.admit(pod, 0, mode::STRICT, MUTUAL_TLS);
        assert_eq!(programs.run(TO_POD, &syn.frame()).reasons, [Reason::Plaintext], "{pod}");
    }
}

#[test]
fn a_counting_pod_and_an_exempt_port_take_every_packet_as_it_is() {
    for (pod, peer, _, _) in families() {
        let mut programs = Loaded::new();
        programs.admit(pod, 0, mode::COUNT, 0);
        let frame = Tcp::syn(peer, pod, 80).frame();
        let counted = programs.run(TO_POD, &frame);
        assert_eq!((counted.action, counted.reasons), (NEXT, vec![Reason::Bypassing]), "{pod}");
        assert_eq!(counted.frame, frame);
        programs.admit(pod, 0, mode::STRICT, 0);
        programs.admit(pod, 80, mode::OFF, 0);
        let exempt = programs.run(TO_POD, &frame);
        assert_eq!((exempt.action, exempt.reasons, exempt.frame), (NEXT, vec![], frame), "{pod}");
    }
}

#[test]
fn what_hides_its_port_does_not_reach_a_strict_pod() {
    let (pod, peer, _, _) = families()[0];
    let mut programs = Loaded::new();
    let whole = Tcp { fragment: 0x2000, ..Tcp::syn(peer, pod, 80) }.frame();
    // As much as fits into a first fragment of sixteen bytes.
    let tiny = &whole[..14 + 20 + 16];
    assert_eq!(programs.run(TO_POD, tiny).action, NEXT);
    programs.admit(pod, 0, mode::STRICT, 0);
    let outcome = programs.run(TO_POD, tiny);
    assert_eq!((outcome.action, outcome.reasons), (SHOT, vec![Reason::Undecidable]));
}

fn inbound(pod: &str) -> u32 {
    if pod.contains(':') { slot::INBOUND6 } else { slot::INBOUND4 }
}
