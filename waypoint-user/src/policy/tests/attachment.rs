//! Which policies apply to what.

use super::*;
use crate::mesh::{
    binding::{Binding, Canary},
    snapshot::Contents,
    waypoint::{AllowedNamespaces, TrafficType, Waypoint},
};

/// The policies of `default/s` behind the waypoint `default/w` that a policy `<namespace>/p` with
/// one target, denying all, is one of.
fn applies(namespace: &str, target: PolicyTarget) -> bool {
    applies_to(&service(Binding::Bound(ObjectName::new("infra", "w"))), namespace, target)
}

fn applies_to(service: &Service, namespace: &str, target: PolicyTarget) -> bool {
    let snapshot = snapshot(namespace, target);
    denies(&Policies::for_service(&snapshot, service))
}

fn denies(policies: &Policies) -> bool {
    judge_tcp(policies, &stranger()) != Verdict::Allow
}

fn snapshot(namespace: &str, target: PolicyTarget) -> Snapshot {
    let name = ObjectName::new(namespace, "p");
    let deny = AuthorizationPolicy {
        name: name.clone(),
        targets: vec![target],
        ..policy(Action::Deny, vec![PolicyRule::default()])
    };
    let waypoint = Waypoint {
        class: "ours".into(),
        takes: TrafficType::All,
        allowed: AllowedNamespaces::All,
        ..Waypoint::new(ObjectName::new("infra", "w"))
    };
    Snapshot::new(Contents {
        waypoints: [(waypoint.name.clone(), Arc::new(waypoint))].into(),
        policies: [(name, Arc::new(deny))].into(),
        ..Contents::default()
    })
}

fn service(binding: Binding) -> Service {
    Service { binding, ..Service::new(ObjectName::new("default", "s")) }
}

fn gateway(namespace: &str, name: &str) -> PolicyTarget {
    PolicyTarget::Gateway(ObjectName::new(namespace, name))
}

#[test]
fn a_policy_on_the_service_applies_to_it_alone() {
    let on = |name| PolicyTarget::Service(ObjectName::new("default", name));
    assert!(applies("default", on("s")));
    assert!(!applies("default", on("t")));
}

#[test]
fn a_policy_on_the_waypoint_applies_to_every_service_behind_it() {
    assert!(applies("infra", gateway("infra", "w")));
    assert!(!applies("infra", gateway("infra", "v")));
    assert!(!applies("default", gateway("default", "w")));
}

#[test]
fn a_policy_on_the_class_applies_only_from_the_root_namespace() {
    let class = |name: &str| PolicyTarget::GatewayClass(name.to_owned());
    assert!(applies("istio-system", class("istio-waypoint")));
    assert!(applies("istio-system", class("ours")));
    assert!(!applies("istio-system", class("theirs")));
    assert!(!applies("default", class("istio-waypoint")));
    assert!(!applies("infra", class("ours")));
}

#[test]
fn a_policy_whose_targets_could_not_be_read_applies_to_its_namespace() {
    let namespace = |name: &str| PolicyTarget::Namespace(name.to_owned());
    assert!(applies("default", namespace("default")));
    assert!(applies("infra", namespace("infra")));
    assert!(!applies("other", namespace("other")));
}

#[test]
fn without_a_waypoint_no_policy_applies() {
    let target = PolicyTarget::Service(ObjectName::new("default", "s"));
    assert!(!applies_to(&service(Binding::Direct), "default", target));
}

#[test]
fn a_workload_has_the_policies_of_its_waypoint_and_of_no_service() {
    let mut workload = Workload::new(ObjectName::new("default", "pod"));
    let to_service = PolicyTarget::Service(ObjectName::new("default", "pod"));
    let denied = |workload: &Workload, target: PolicyTarget| {
        denies(&Policies::for_workload(&snapshot("infra", target), workload))
    };
    assert!(!denied(&workload, gateway("infra", "w")));
    workload.binding = Binding::Bound(ObjectName::new("infra", "w"));
    assert!(denied(&workload, gateway("infra", "w")));
    assert!(!denied(&workload, to_service));
}

#[test]
fn a_second_waypoint_has_its_own_policies_and_not_those_of_the_first() {
    let second = ObjectName::new("infra", "v");
    let canary = Canary { waypoint: second, weight: 1 };
    let service =
        Service { canary: Some(canary), ..service(Binding::Bound(ObjectName::new("infra", "w"))) };
    let to_service = PolicyTarget::Service(ObjectName::new("default", "s"));
    for (home, target, of_first, of_second) in [
        ("infra", gateway("infra", "w"), true, false),
        ("infra", gateway("infra", "v"), false, true),
        ("default", to_service, true, true),
    ] {
        let snapshot = snapshot(home, target.clone());
        assert_eq!(denies(&Policies::for_service(&snapshot, &service)), of_first, "{target:?}");
        assert_eq!(denies(&Policies::for_canary(&snapshot, &service)), of_second, "{target:?}");
    }
}

#[test]
fn a_policy_with_two_targets_that_fit_applies_once() {
    let service = service(Binding::Bound(ObjectName::new("infra", "w")));
    let twice = AuthorizationPolicy {
        targets: vec![
            PolicyTarget::Service(ObjectName::new("default", "s")),
            PolicyTarget::Namespace("default".into()),
        ],
        ..policy(Action::Deny, vec![PolicyRule::default()])
    };
    let snapshot = Snapshot::new(Contents {
        policies: [(twice.name.clone(), Arc::new(twice))].into(),
        ..Contents::default()
    });
    assert_eq!(super::super::attachment::of_service(&snapshot, &service).len(), 1);
}
