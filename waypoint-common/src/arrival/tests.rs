//! Unit and property tests of the decision.

extern crate std;

use std::{collections::HashSet, net::IpAddr};

use proptest::prelude::*;

use super::*;
use crate::{
    addr::Addr,
    admission::{Rule, RuleKey, SourceKey},
    redirect::{Destination, DestinationKey, Range},
};

/// Tables in memory.
#[derive(Debug, Default)]
struct Memory {
    established: bool,
    slots: HashSet<u32>,
}

impl Tables for Memory {
    fn destination(&self, _: &DestinationKey) -> Option<Destination> {
        None
    }

    fn range(&self, _: &Addr) -> Option<&Range> {
        None
    }

    fn established(&self, _: &Segment) -> bool {
        self.established
    }

    fn listens(&self, slot: u32) -> bool {
        self.slots.contains(&slot)
    }
}

impl Gate for Memory {
    fn rule(&self, _: &RuleKey) -> Option<Rule> {
        None
    }

    fn is_source(&self, _: &SourceKey) -> bool {
        false
    }

    fn is_exempt(&self, _: &Segment) -> bool {
        false
    }
}

fn listening() -> Memory {
    Memory { established: false, slots: HashSet::from([slot::INBOUND4, slot::INBOUND6]) }
}

fn addr(text: &str) -> Addr {
    text.parse::<IpAddr>().unwrap().into()
}

fn segment(destination: &str, port: u16, opens: bool) -> Segment {
    let source = if destination.contains(':') { "fd00:9::9" } else { "10.9.0.9" };
    Segment {
        source: addr(source),
        destination: addr(destination),
        source_port: 40_000_u16.to_be(),
        destination_port: port.to_be(),
        opens,
    }
}

fn pod(flags: u32) -> PodOfInterface {
    let v6 = addr(POD_V6).octets();
    PodOfInterface { pod_id: 1, flags, v4: [10, 1, 0, 2], v6, slot: 1, pad: 0 }
}

#[test]
fn a_tunnel_to_the_pod_is_the_agents() {
    for own in [POD_V4, POD_V6] {
        let verdict = receive(&segment(own, TUNNEL_PORT, true), &pod(INBOUND), 0, &listening());
        assert_eq!(verdict, Verdict::Capture(Reason::Inbound), "{own}");
    }
}

#[test]
fn each_family_needs_its_own_listener() {
    let v4 = Memory { established: false, slots: HashSet::from([slot::INBOUND4]) };
    let verdict = |own| receive(&segment(own, TUNNEL_PORT, true), &pod(INBOUND), 0, &v4);
    assert_eq!(verdict(POD_V4), Verdict::Capture(Reason::Inbound));
    assert_eq!(verdict(POD_V6), Verdict::Pass(Reason::NotInbound));
}

#[test]
fn the_pod_answers_itself_without_the_agent() {
    let opening = segment(POD_V4, TUNNEL_PORT, true);
    for (flags, config, tables) in [
        (INBOUND, 0, Memory::default()),
        (INBOUND, config_flag::BYPASS, listening()),
        (pod_flag::CLIENT, 0, listening()),
    ] {
        let verdict = receive(&opening, &pod(flags), config, &tables);
        assert_eq!(verdict, Verdict::Pass(Reason::NotInbound));
    }
}

#[test]
fn another_address_behind_the_interface_is_not_the_pods() {
    for other in ["10.1.0.3", "fd00:1::3"] {
        let verdict = receive(&segment(other, TUNNEL_PORT, true), &pod(INBOUND), 0, &listening());
        assert_eq!(verdict, Verdict::Pass(Reason::NotInbound), "{other}");
    }
}

#[test]
fn a_tunnel_lives_on_when_the_pod_is_not_enrolled_any_more() {
    let tables = Memory { established: true, slots: HashSet::new() };
    let later = segment(POD_V4, TUNNEL_PORT, false);
    let verdict = receive(&later, &pod(0), config_flag::BYPASS, &tables);
    assert_eq!(verdict, Verdict::Capture(Reason::InboundEstablished));
}

proptest! {
    #[test]
    fn no_other_port_ever_reaches_the_agent(
        port: u16,
        opens: bool,
        established: bool,
        flags: u32,
        config: u32,
    ) {
        prop_assume!(port != TUNNEL_PORT);
        let tables = Memory { established, ..listening() };
        for own in [POD_V4, POD_V6] {
            let verdict = receive(&segment(own, port, opens), &pod(flags), config, &tables);
            prop_assert!(!matches!(verdict, Verdict::Capture(_)));
        }
    }
}

const INBOUND: u32 = pod_flag::CLIENT | pod_flag::INBOUND;
const POD_V4: &str = "10.1.0.2";
const POD_V6: &str = "fd00:1::2";
