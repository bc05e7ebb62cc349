//! Unit and property tests of the decision.

extern crate std;

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    vec::Vec,
};

use proptest::prelude::*;

use super::*;

/// Tables in memory.
#[derive(Debug, Default)]
struct Memory {
    rules: HashMap<RuleKey, Rule>,
    sources: HashSet<SourceKey>,
    exempt: HashSet<Addr>,
}

impl Gate for Memory {
    fn rule(&self, key: &RuleKey) -> Option<Rule> {
        self.rules.get(key).copied()
    }

    fn is_source(&self, key: &SourceKey) -> bool {
        self.sources.contains(key)
    }

    fn is_exempt(&self, segment: &Segment) -> bool {
        self.exempt.contains(&segment.source)
    }
}

impl Memory {
    /// One rule for every port of the pod, with one waypoint and one kubelet.
    fn with(mode: u8, flags: u8) -> Self {
        let mut memory = Self::default();
        memory.add(0, mode, flags);
        memory.sources.insert(SourceKey { set: SET, addr: addr(WAYPOINT) });
        memory.exempt.insert(addr(KUBELET));
        memory
    }

    fn add(&mut self, port: u16, mode: u8, flags: u8) {
        let rule = Rule { mode, flags, pad: [0; 6], set: SET };
        self.rules.insert(RuleKey::new(addr(POD), port.to_be()), rule);
    }
}

fn addr(text: &str) -> Addr {
    text.parse::<IpAddr>().unwrap().into()
}

fn syn(source: &str, port: u16) -> Segment {
    Segment {
        source: addr(source),
        destination: addr(POD),
        source_port: 40_000_u16.to_be(),
        destination_port: port.to_be(),
        opens: true,
    }
}

#[test]
fn each_mode_does_what_it_is_called() {
    let expected = [
        (mode::OFF, Verdict::Pass(Reason::NotInbound)),
        (mode::COUNT, Verdict::Pass(Reason::Bypassing)),
        (mode::STRICT, Verdict::Refuse(Reason::NotAdmitted)),
        (77, Verdict::Refuse(Reason::NotAdmitted)),
    ];
    for (mode, verdict) in expected {
        let gate = Memory::with(mode, 0);
        assert_eq!(admit(&syn(STRANGER, 80), &gate), verdict);
        assert_eq!(admit(&syn(WAYPOINT, 80), &gate), Verdict::Pass(Reason::NotInbound));
    }
}

#[test]
fn the_kubelet_passes_in_every_mode() {
    for (mode, flags) in [(mode::COUNT, 0), (mode::STRICT, 0), (mode::OFF, MUTUAL_TLS)] {
        let verdict = admit(&syn(KUBELET, 80), &Memory::with(mode, flags));
        assert_eq!(verdict, Verdict::Pass(Reason::Exempt));
    }
}

#[test]
fn where_mutual_tls_is_asked_for_not_even_a_waypoint_sends_plaintext() {
    for mode in [mode::OFF, mode::COUNT, mode::STRICT] {
        for source in [STRANGER, WAYPOINT] {
            let verdict = admit(&syn(source, 80), &Memory::with(mode, MUTUAL_TLS));
            assert_eq!(verdict, Verdict::Refuse(Reason::Plaintext));
        }
    }
}

#[test]
fn an_exempt_port_is_open_and_its_neighbours_are_not() {
    let mut gate = Memory::with(mode::STRICT, 0);
    gate.add(9090, mode::OFF, 0);
    assert_eq!(admit(&syn(STRANGER, 9090), &gate), Verdict::Pass(Reason::NotInbound));
    assert_eq!(admit(&syn(STRANGER, 9091), &gate), Verdict::Refuse(Reason::NotAdmitted));
}

#[test]
fn a_set_is_not_another_pods() {
    let mut gate = Memory::with(mode::STRICT, 0);
    gate.sources.clear();
    gate.sources.insert(SourceKey { set: SET + 1, addr: addr(WAYPOINT) });
    assert_eq!(admit(&syn(WAYPOINT, 80), &gate), Verdict::Refuse(Reason::NotAdmitted));
}

proptest! {
    #[test]
    fn nothing_but_a_new_connection_is_ever_refused(
        mode: u8,
        flags: u8,
        port: u16,
        source: u32,
    ) {
        let source = Addr::v4(source.to_be_bytes());
        let later = Segment { source, opens: false, ..syn(STRANGER, port) };
        let verdict = admit(&later, &Memory::with(mode, flags));
        prop_assert_eq!(verdict, Verdict::Pass(Reason::NotInbound));
    }

    #[test]
    fn a_strict_pod_lets_in_its_waypoints_and_the_exempt_alone(
        port: u16,
        source: u32,
        exempt_ports: Vec<u16>,
    ) {
        let mut gate = Memory::with(mode::STRICT, 0);
        for port in exempt_ports.iter().filter(|port| **port != 0) {
            gate.add(*port, mode::OFF, 0);
        }
        let source = Addr::v4(source.to_be_bytes());
        let segment = Segment { source, ..syn(STRANGER, port) };
        let let_in = source == addr(WAYPOINT)
            || source == addr(KUBELET)
            || port != 0 && exempt_ports.contains(&port);
        let refused = matches!(admit(&segment, &gate), Verdict::Refuse(_));
        prop_assert_eq!(refused, !let_in);
    }
}

const MUTUAL_TLS: u8 = rule_flag::MUTUAL_TLS;
const SET: u64 = 7;
const POD: &str = "10.1.0.2";
const WAYPOINT: &str = "10.1.0.50";
const KUBELET: &str = "10.1.0.1";
const STRANGER: &str = "10.9.0.9";
