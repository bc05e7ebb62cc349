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
#[derive(Clone, Debug, Default)]
struct Memory {
    destinations: HashMap<DestinationKey, Destination>,
    ranges: Vec<(Addr, u8, Range)>,
    established: bool,
    slots: HashSet<u32>,
}

impl Tables for Memory {
    fn destination(&self, key: &DestinationKey) -> Option<Destination> {
        self.destinations.get(key).copied()
    }

    fn range(&self, address: &Addr) -> Option<&Range> {
        let inside = |(first, bits, _): &&(Addr, u8, Range)| {
            let number = |address: &Addr| u128::from_be_bytes(address.octets());
            let shared = (number(first) ^ number(address)).leading_zeros();
            shared >= u32::from(*bits)
        };
        let narrowest = self.ranges.iter().filter(inside).max_by_key(|(_, bits, _)| *bits);
        narrowest.map(|(_, _, range)| range)
    }

    fn established(&self, _: &Segment) -> bool {
        self.established
    }

    fn listens(&self, slot: u32) -> bool {
        self.slots.contains(&slot)
    }
}

impl Memory {
    fn with(address: &str, port: u16, action: u8, flags: u8) -> Self {
        let mut memory = Self::default();
        memory.slots.extend([slot::TCP4, slot::TCP6]);
        memory.add(address, port, action, flags);
        memory
    }

    fn add(&mut self, address: &str, port: u16, action: u8, flags: u8) {
        let entry = Destination {
            action,
            flags,
            waypoint_slot: 0,
            waypoint_id: 0,
            target_if: 0,
            reserve: 0,
        };
        self.destinations.insert(DestinationKey::tcp(addr(address), port.to_be()), entry);
    }

    /// A range with an entry for one port, or without a port one that is left out.
    fn add_range(&mut self, first: &str, bits: u8, port: Option<u16>) {
        let Some(port) = port else {
            return self.ranges.push((addr(first), bits, Range::NONE));
        };
        let range = Range::new(addr(first), bits);
        self.ranges.push((addr(first), bits, range));
        let key = DestinationKey::tcp(addr(first), port.to_be()).in_range(&range);
        let entry = Destination {
            action: action::CAPTURE,
            flags: 0,
            waypoint_slot: 0,
            waypoint_id: 0,
            target_if: 0,
            reserve: 0,
        };
        self.destinations.insert(key, entry);
    }

    fn deaf(mut self) -> Self {
        self.slots.clear();
        self
    }
}

fn addr(text: &str) -> Addr {
    text.parse::<IpAddr>().unwrap().into()
}

fn syn(source: &str, destination: &str, port: u16) -> Segment {
    Segment {
        source: addr(source),
        destination: addr(destination),
        source_port: 40_000_u16.to_be(),
        destination_port: port.to_be(),
        opens: true,
    }
}

fn pod(flags: u32) -> PodOfInterface {
    let IpAddr::V6(v6) = POD_V6.parse().unwrap() else { unreachable!() };
    let IpAddr::V4(v4) = POD_V4.parse().unwrap() else { unreachable!() };
    PodOfInterface { pod_id: 1, flags, v4: v4.octets(), v6: v6.octets(), slot: 1, pad: 0 }
}

fn judge(segment: &Segment, tables: &Memory) -> Verdict {
    decide(Packet::Tcp(segment), &pod(ENROLLED), 0, tables)
}

#[test]
fn a_syn_to_a_captured_destination_is_captured_in_both_families() {
    for (own, vip) in [(POD_V4, "10.96.0.10"), (POD_V6, "fd00:96::10")] {
        let tables = Memory::with(vip, 80, action::CAPTURE, 0);
        assert_eq!(judge(&syn(own, vip, 80), &tables), Verdict::Capture(Reason::Captured));
        assert_eq!(judge(&syn(own, vip, 81), &tables), Verdict::Pass(Reason::Miss));
    }
}

#[test]
fn an_entry_of_the_port_comes_before_one_of_every_port() {
    let mut tables = Memory::with("10.96.0.10", 0, action::CAPTURE, 0);
    tables.add("10.96.0.10", 81, action::REFUSE, 0);
    let on = |port| judge(&syn(POD_V4, "10.96.0.10", port), &tables);
    assert_eq!(on(80), Verdict::Capture(Reason::Captured));
    assert_eq!(on(81), Verdict::Refuse(Reason::Refused));
}

#[test]
fn an_address_is_captured_by_the_narrowest_range_that_holds_it() {
    for (own, (wide, bits), inside, (narrow, more), other) in [
        (POD_V4, ("198.18.0.0", 96 + 15), "198.18.7.9", ("198.19.0.0", 96 + 24), "198.19.0.9"),
        (POD_V6, ("2001:db8::", 32), "2001:db8:7::9", ("2001:db8:9::", 48), "2001:db8:9::9"),
    ] {
        let mut tables = Memory::with("10.96.0.10", 80, action::CAPTURE, 0);
        tables.add_range(wide, bits, Some(443));
        tables.add_range(narrow, more, Some(80));
        let on = |address, port| judge(&syn(own, address, port), &tables);
        assert_eq!(on(inside, 443), Verdict::Capture(Reason::Captured));
        assert_eq!(on(inside, 80), Verdict::Pass(Reason::Miss));
        assert_eq!(on(other, 80), Verdict::Capture(Reason::Captured));
        assert_eq!(on(other, 443), Verdict::Pass(Reason::Miss), "the wider range has it no more");
        assert_eq!(on("203.0.113.1", 443), Verdict::Pass(Reason::Miss));
    }
}

#[test]
fn what_is_left_out_of_a_range_is_left_alone() {
    let mut tables = Memory::with("198.18.7.8", 80, action::CAPTURE, 0);
    tables.add_range("198.18.0.0", 96 + 15, Some(443));
    tables.add_range("198.18.7.9", 128, None);
    let on = |address, port| judge(&syn(POD_V4, address, port), &tables);
    assert_eq!(on("198.18.7.9", 443), Verdict::Pass(Reason::Miss));
    assert_eq!(on("198.18.7.8", 80), Verdict::Capture(Reason::Captured), "its own entry counts");
    assert_eq!(on("198.18.7.7", TUNNEL_PORT), Verdict::Pass(Reason::Miss));
}

#[test]
fn a_listener_of_the_other_family_is_none() {
    let mut tables = Memory::with("10.96.0.10", 80, action::CAPTURE, 0);
    tables.slots.remove(&slot::TCP4);
    let verdict = judge(&syn(POD_V4, "10.96.0.10", 80), &tables);
    assert_eq!(verdict, Verdict::Pass(Reason::FailOpen));
}

#[test]
fn without_a_listener_the_entry_says_what_happens() {
    let closed = destination_flag::FAIL_CLOSED;
    for (flags, expected) in
        [(0, Verdict::Pass(Reason::FailOpen)), (closed, Verdict::Refuse(Reason::FailClosed))]
    {
        let tables = Memory::with("10.96.0.10", 80, action::CAPTURE, flags).deaf();
        assert_eq!(judge(&syn(POD_V4, "10.96.0.10", 80), &tables), expected);
    }
}

#[test]
fn a_bypassed_agent_gets_only_what_proves_it() {
    let segment = syn(POD_V4, "10.96.0.10", 80);
    for (flags, expected) in [
        (0, Verdict::Pass(Reason::Bypass)),
        (destination_flag::FAIL_CLOSED, Verdict::Refuse(Reason::FailClosed)),
        (destination_flag::ALWAYS, Verdict::Capture(Reason::Captured)),
    ] {
        let tables = Memory::with("10.96.0.10", 80, action::CAPTURE, flags);
        let bypass = config_flag::BYPASS;
        let verdict = decide(Packet::Tcp(&segment), &pod(ENROLLED), bypass, &tables);
        assert_eq!(verdict, expected);
    }
}

#[test]
fn a_refused_destination_is_refused_with_and_without_an_agent() {
    let tables = Memory::with("10.96.0.10", 80, action::REFUSE, 0);
    let segment = syn(POD_V4, "10.96.0.10", 80);
    assert_eq!(judge(&segment, &tables), Verdict::Refuse(Reason::Refused));
    assert_eq!(judge(&segment, &tables.deaf()), Verdict::Refuse(Reason::Refused));
}

#[test]
fn later_packets_follow_the_connection_whatever_the_tables_say() {
    let later = Segment { opens: false, ..syn(POD_V4, "10.96.0.10", 80) };
    let mut tables = Memory::default();
    assert_eq!(judge(&later, &tables), Verdict::Pass(Reason::NotCaptured));
    tables.established = true;
    assert_eq!(judge(&later, &tables), Verdict::Capture(Reason::CapturedEstablished));
    let unenrolled = pod(pod_flag::ANTI_SPOOF);
    let verdict = decide(Packet::Tcp(&later), &unenrolled, config_flag::BYPASS, &tables);
    assert_eq!(verdict, Verdict::Capture(Reason::CapturedEstablished));
}

#[test]
fn a_port_that_the_agent_s_kernel_remembers_is_the_agent_s_until_it_forgets() {
    let again = syn(POD_V4, "10.96.0.10", 80);
    let mut tables = Memory::default();
    assert_eq!(judge(&again, &tables), Verdict::Pass(Reason::Miss));
    tables.established = true;
    assert_eq!(judge(&again, &tables), Verdict::Capture(Reason::CapturedEstablished));
    let unenrolled = decide(Packet::Tcp(&again), &pod(pod_flag::ANTI_SPOOF), 0, &tables);
    assert_eq!(unenrolled, Verdict::Capture(Reason::CapturedEstablished));
    let foreign = syn("10.9.9.9", "10.96.0.10", 80);
    assert_eq!(judge(&foreign, &tables), Verdict::Drop(Reason::Spoofed));
    let mut deaf = Memory::with("10.96.0.10", 80, action::CAPTURE, 0).deaf();
    assert_eq!(judge(&again, &deaf), Verdict::Pass(Reason::FailOpen));
    deaf.established = true;
    assert_eq!(judge(&again, &deaf), Verdict::Capture(Reason::CapturedEstablished));
}

#[test]
fn an_unenrolled_pod_opens_nothing_captured() {
    let tables = Memory::with("10.96.0.10", 80, action::REFUSE, destination_flag::FAIL_CLOSED);
    let segment = syn(POD_V4, "10.96.0.10", 80);
    let verdict = decide(Packet::Tcp(&segment), &pod(pod_flag::ANTI_SPOOF), 0, &tables);
    assert_eq!(verdict, Verdict::Pass(Reason::NotEnrolled));
}

#[test]
fn a_foreign_source_is_dropped_only_where_it_would_be_captured() {
    for (foreign, vip) in [("10.1.0.3", "10.96.0.10"), ("fd00:1::3", "fd00:96::10")] {
        let tables = Memory::with(vip, 80, action::CAPTURE, 0);
        assert_eq!(judge(&syn(foreign, vip, 80), &tables), Verdict::Drop(Reason::Spoofed));
        assert_eq!(judge(&syn(foreign, vip, 81), &tables), Verdict::Pass(Reason::Miss));
        let trusting = pod(pod_flag::CLIENT);
        let segment = syn(foreign, vip, 80);
        let verdict = decide(Packet::Tcp(&segment), &trusting, 0, &tables);
        assert_eq!(verdict, Verdict::Capture(Reason::Captured));
    }
}

#[test]
fn marks_name_slots_and_nothing_else_does() {
    assert_eq!(slot_of_mark(mark(7)), Some(7));
    assert_eq!(slot_of_mark(UPSTREAM_MARK), None);
    assert_eq!(slot_of_mark(7), None);
}

fn any_segment() -> impl Strategy<Value = Segment> {
    let address = prop_oneof![
        Just(addr(POD_V4)),
        Just(addr(POD_V6)),
        Just(addr("10.96.0.10")),
        Just(addr("fd00:96::10")),
        any::<[u8; 16]>().prop_map(Addr::v6),
    ];
    let port = prop_oneof![Just(80_u16.to_be()), any::<u16>()];
    (address.clone(), address, any::<u16>(), port, any::<bool>()).prop_map(
        |(source, destination, source_port, destination_port, opens)| Segment {
            source,
            destination,
            source_port,
            destination_port,
            opens,
        },
    )
}

fn any_tables() -> impl Strategy<Value = Memory> {
    let destinations = proptest::collection::vec((0..4_usize, any::<bool>(), 0..4_u8), 0..4);
    let slots = proptest::collection::hash_set(0..2_u32, 0..3);
    (destinations, any::<bool>(), slots).prop_map(|(entries, established, slots)| {
        let mut memory = Memory { established, slots, ..Memory::default() };
        for (index, refuse, flags) in entries {
            let (address, port) =
                [("10.96.0.10", 80), ("10.96.0.10", 0), ("fd00:96::10", 80), ("fd00:96::10", 0)]
                    [index];
            let action = if refuse { action::REFUSE } else { action::CAPTURE };
            memory.add(address, port, action, flags);
        }
        memory
    })
}

proptest! {
    #[test]
    fn what_is_neither_in_the_tables_nor_established_passes(
        segment in any_segment(),
        flags in 0..4_u32,
        bypass in 0..2_u32,
    ) {
        let verdict = decide(Packet::Tcp(&segment), &pod(flags), bypass, &Memory::default());
        prop_assert!(matches!(verdict, Verdict::Pass(_)), "{:?}", verdict);
    }

    #[test]
    fn nothing_with_a_foreign_source_reaches_the_agent(
        segment in any_segment(),
        tables in any_tables(),
        client in any::<bool>(),
        bypass in 0..2_u32,
    ) {
        let flags = pod_flag::ANTI_SPOOF | if client { pod_flag::CLIENT } else { 0 };
        let verdict = decide(Packet::Tcp(&segment), &pod(flags), bypass, &tables);
        let own = [addr(POD_V4), addr(POD_V6)].contains(&segment.source);
        prop_assert!(own || !matches!(verdict, Verdict::Capture(_) | Verdict::Refuse(_)));
    }

    #[test]
    fn what_fails_closed_never_passes_for_want_of_an_agent(
        segment in any_segment(),
        tables in any_tables(),
        bypass in 0..2_u32,
    ) {
        let verdict = decide(Packet::Tcp(&segment), &pod(ENROLLED), bypass, &tables);
        let keys = [segment.destination_port, 0]
            .map(|port| DestinationKey::tcp(segment.destination, port));
        let entry = keys.iter().find_map(|key| tables.destination(key));
        let closed = entry.is_some_and(|entry| entry.flags & destination_flag::FAIL_CLOSED != 0);
        let passed = matches!(verdict, Verdict::Pass(Reason::FailOpen | Reason::Bypass));
        prop_assert!(!(closed && passed), "{:?}", verdict);
    }

    #[test]
    fn a_new_connection_looks_at_old_ones_only_where_nobody_else_takes_it(
        segment in any_segment(),
        tables in any_tables(),
    ) {
        let segment = Segment { opens: true, ..segment };
        let fresh = judge(&segment, &Memory { established: false, ..tables.clone() });
        let again = judge(&segment, &Memory { established: true, ..tables });
        if matches!(fresh, Verdict::Pass(_)) {
            prop_assert!(
                matches!(
                    again,
                    Verdict::Capture(Reason::CapturedEstablished) | Verdict::Drop(Reason::Spoofed)
                ),
                "{:?}",
                again
            );
        } else {
            prop_assert_eq!(fresh, again);
        }
    }

    #[test]
    fn what_is_not_tcp_passes_for_its_reason(
        index in 0..Reason::ALL.len(),
        tables in any_tables(),
    ) {
        let reasons: Vec<Reason> = Reason::ALL.to_vec();
        let reason = reasons[index];
        let verdict = decide(Packet::Other(reason), &pod(ENROLLED), 0, &tables);
        prop_assert_eq!(verdict, Verdict::Pass(reason));
    }
}

const POD_V4: &str = "10.1.0.2";
const POD_V6: &str = "fd00:1::2";
const ENROLLED: u32 = pod_flag::CLIENT | pod_flag::ANTI_SPOOF;

#[test]
fn an_entry_for_every_port_leaves_the_tunnel_port_alone() {
    for (own, vip) in [(POD_V4, "10.1.0.9"), (POD_V6, "fd00:1::9")] {
        let mut tables = Memory::with(vip, 0, action::CAPTURE, 0);
        let verdict = |tables: &Memory, port| {
            let segment = syn(own, vip, port);
            decide(Packet::Tcp(&segment), &pod(pod_flag::CLIENT), 0, tables)
        };
        assert_eq!(verdict(&tables, TUNNEL_PORT), Verdict::Pass(Reason::Miss), "{vip}");
        assert_eq!(verdict(&tables, TUNNEL_PORT + 1), Verdict::Capture(Reason::Captured));
        tables.add(vip, TUNNEL_PORT, action::CAPTURE, 0);
        assert_eq!(verdict(&tables, TUNNEL_PORT), Verdict::Capture(Reason::Captured));
    }
}
