//! Unit tests of what the maps of admission should hold.

use super::*;
use crate::mesh::object::ObjectName;

fn workload(address: &str, admission: Admission) -> Workload {
    Workload {
        addresses: vec![address.parse().unwrap()],
        admission,
        ..Workload::new(ObjectName::new("shop", "web"))
    }
}

fn strict(sources: &[&str]) -> Admission {
    Admission {
        mode: AdmissionMode::Strict,
        sources: sources.iter().map(|source| source.parse().unwrap()).collect(),
        ..Admission::default()
    }
}

fn of(workloads: &[Workload]) -> Admissions {
    let mut admissions = Admissions::default();
    for workload in workloads {
        admissions.add(workload);
    }
    admissions
}

fn key(address: &str, port: u16) -> RuleKey {
    RuleKey::new(address.parse::<IpAddr>().unwrap().into(), port.to_be())
}

#[test]
fn a_workload_that_asks_for_nothing_has_no_rule() {
    let admissions = of(&[workload("10.1.0.2", Admission::default())]);
    assert!(admissions.rules.is_empty() && admissions.sources.is_empty());
}

#[test]
fn sets_of_the_same_addresses_are_one_in_any_order() {
    let one = workload("10.1.0.2", strict(&["10.1.0.50", "10.1.0.51"]));
    let other = workload("10.1.0.3", strict(&["10.1.0.51", "10.1.0.50", "10.1.0.51"]));
    let admissions = of(&[one, other]);
    assert_eq!(admissions.sources.len(), 2);
    let set = |address| admissions.rules.get(&key(address, 0)).unwrap().set;
    assert_eq!(set("10.1.0.2"), set("10.1.0.3"));
}

#[test]
fn another_set_has_another_number() {
    let one = of(&[workload("10.1.0.2", strict(&["10.1.0.50"]))]);
    let other = of(&[workload("10.1.0.2", strict(&["10.1.0.51"]))]);
    let set = |of: &Admissions| of.rules.get(&key("10.1.0.2", 0)).unwrap().set;
    assert_ne!(set(&one), set(&other));
}

#[test]
fn an_exempt_port_is_open_but_not_to_plaintext_where_none_is_taken() {
    for mutual_tls in [false, true] {
        let admission = Admission { exempt_ports: vec![9090], mutual_tls, ..strict(&[]) };
        let admissions = of(&[workload("10.1.0.2", admission)]);
        let rule = admissions.rules.get(&key("10.1.0.2", 9090)).unwrap();
        assert_eq!(rule.mode, mode::OFF);
        assert_eq!(rule.flags & rule_flag::MUTUAL_TLS != 0, mutual_tls);
        assert_eq!(admissions.rules.get(&key("10.1.0.2", 0)).unwrap().mode, mode::STRICT);
    }
}
