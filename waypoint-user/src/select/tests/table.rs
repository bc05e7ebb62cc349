//! Waypoint selection by example; rows are numbered as in the project's table of test vectors.

use super::*;
use crate::mesh::label::GATEWAY_NAME;

/// Namespace `a` with waypoint `w`, Service `s` and its pods; a client in `b`; all enrolled.
fn setup(namespace: &[(&str, &str)], service: &[(&str, &str)], pod: &[(&str, &str)]) -> Draft {
    let mut enrolled = namespace.to_vec();
    enrolled.push((DATAPLANE_MODE, "ambient"));
    Draft::default()
        .namespace("a", &enrolled)
        .namespace("b", &[(DATAPLANE_MODE, "ambient"), ("team", "shop")])
        .waypoint("a", "w", TrafficType::Service)
        .waypoint("a", "w2", TrafficType::Workload)
        .service(("a", "s"), "10.0.0.1", service)
        .pod(("a", "p1"), "10.1.0.1", pod)
        .pod(("a", "p2"), "10.1.0.2", &[])
        .pod(("b", "client"), "10.1.0.9", &[])
}

/// What the enrolled client of `b` gets.
fn dial(draft: Draft, destination: &str) -> String {
    let snapshot = draft.build();
    let client = snapshot.workloads().get(&ObjectName::new("b", "client")).unwrap();
    waypoint_of(&snapshot, destination, Some(client))
}

/// Why the Service's waypoint was refused.
fn refusal(draft: Draft, service: (&str, &str)) -> RefusalReason {
    let snapshot = draft.build();
    let service = snapshot.services().get(&ObjectName::new(service.0, service.1)).unwrap();
    match &service.binding {
        Binding::Refused(refusal) => refusal.reason,
        other => panic!("not refused: {other:?}"),
    }
}

const NAMESPACE: &[(&str, &str)] = &[(USE_WAYPOINT, "w")];
const VIP: &str = "10.0.0.1:80";
const POD: &str = "10.1.0.1:8080";

#[test]
fn row_1_a_namespace_waypoint_takes_service_traffic() {
    assert_eq!(dial(setup(NAMESPACE, &[], &[]), VIP), "a/w");
}

#[test]
fn row_2_a_service_waypoint_leaves_pod_traffic_alone() {
    assert_eq!(dial(setup(NAMESPACE, &[], &[]), POD), "direct");
}

#[test]
fn row_3_a_workload_waypoint_takes_pod_traffic() {
    assert_eq!(dial(setup(&[], &[], &[(USE_WAYPOINT, "w2")]), POD), "a/w2");
}

#[test]
fn row_4_service_traffic_meets_only_the_services_waypoint() {
    let draft = setup(NAMESPACE, &[], &[(USE_WAYPOINT, "w2")]).pod(
        ("a", "w-1"),
        "10.1.0.8",
        &[(GATEWAY_NAME, "w")],
    );
    assert_eq!(dial(draft.clone(), VIP), "a/w");
    let snapshot = draft.build();
    let instance = snapshot.workloads().get(&ObjectName::new("a", "w-1")).unwrap();
    assert_eq!(instance.enrolment, Enrolment::Waypoint);
    assert_eq!(waypoint_of(&snapshot, POD, Some(instance)), "direct");
}

#[test]
fn row_5_a_service_opts_out_of_its_namespaces_waypoint() {
    assert_eq!(dial(setup(NAMESPACE, &[(USE_WAYPOINT, "none")], &[]), VIP), "direct");
}

#[test]
fn row_6_a_missing_waypoint_does_not_fall_back_to_the_namespaces() {
    let draft = setup(NAMESPACE, &[(USE_WAYPOINT, "missing")], &[]);
    assert_eq!(dial(draft.clone(), VIP), "direct");
    assert_eq!(refusal(draft, ("a", "s")), RefusalReason::WaypointIsNotReady);
}

#[test]
fn row_7_a_workload_waypoint_refuses_a_service() {
    let draft = setup(NAMESPACE, &[(USE_WAYPOINT, "w2")], &[]);
    assert_eq!(dial(draft.clone(), VIP), "direct");
    assert_eq!(refusal(draft, ("a", "s")), RefusalReason::UnsupportedServiceTraffic);
}

#[test]
fn row_7_a_service_waypoint_refuses_a_pod_that_names_it_itself() {
    let named = setup(&[], &[], &[(USE_WAYPOINT, "w")]).build();
    let binding = &named.workloads().get(&ObjectName::new("a", "p1")).unwrap().binding;
    assert!(matches!(binding, Binding::Refused(refusal)
        if refusal.reason == RefusalReason::UnsupportedWorkloadTraffic));
    let inherited = setup(NAMESPACE, &[], &[]).build();
    let binding = &inherited.workloads().get(&ObjectName::new("a", "p1")).unwrap().binding;
    assert_eq!(*binding, Binding::Direct);
}

#[test]
fn row_8_a_deleted_waypoint_leaves_traffic_direct() {
    let mut draft = setup(NAMESPACE, &[], &[]);
    draft.waypoints.remove(&ObjectName::new("a", "w"));
    assert_eq!(dial(draft.clone(), VIP), "direct");
    assert_eq!(refusal(draft, ("a", "s")), RefusalReason::WaypointIsNotReady);
}

#[test]
fn row_9_a_waypoint_without_instances_stays_bound() {
    let draft = setup(NAMESPACE, &[], &[]);
    assert_eq!(dial(draft.clone(), VIP), "a/w");
    let never_ready = draft.change("w", |waypoint| waypoint.ready = false);
    assert_eq!(refusal(never_ready, ("a", "s")), RefusalReason::WaypointIsNotReady);
}

/// A Service of `b` that asks for the waypoint of `a`.
fn across(allowed: AllowedNamespaces) -> Draft {
    let asks = [(USE_WAYPOINT, "w"), (USE_WAYPOINT_NAMESPACE, "a")];
    setup(&[], &[], &[])
        .service(("b", "s"), "10.0.0.2", &asks)
        .change("w", |waypoint| waypoint.allowed = allowed)
}

#[test]
fn row_10_another_namespaces_waypoint_is_denied_by_default() {
    let draft = across(AllowedNamespaces::Same);
    assert_eq!(dial(draft.clone(), "10.0.0.2:80"), "direct");
    assert_eq!(refusal(draft, ("b", "s")), RefusalReason::AttachmentDenied);
}

#[test]
fn row_11_another_namespaces_waypoint_may_admit_by_selector_or_all() {
    let team = |name: &str| {
        let requirement = Requirement::In("team".to_owned(), vec![name.to_owned()]);
        AllowedNamespaces::Selector(Selector { requirements: vec![requirement] })
    };
    assert_eq!(dial(across(team("shop")), "10.0.0.2:80"), "a/w");
    assert_eq!(dial(across(AllowedNamespaces::All), "10.0.0.2:80"), "a/w");
    assert_eq!(dial(across(team("bank")), "10.0.0.2:80"), "direct");
}

#[test]
fn row_12_a_headless_service_is_reached_as_its_pods() {
    let draft = setup(NAMESPACE, &[], &[]).service(("a", "h"), "", &[]);
    assert_eq!(dial(draft.clone(), POD), "direct");
    let all = draft.change("w", |waypoint| waypoint.takes = TrafficType::All);
    assert_eq!(dial(all, POD), "a/w");
}

#[test]
fn row_13_an_unknown_address_goes_direct() {
    assert_eq!(dial(setup(NAMESPACE, &[], &[]), "192.0.2.1:80"), "direct");
}

#[test]
fn row_16_a_client_with_a_sidecar_is_not_captured() {
    let snapshot = setup(NAMESPACE, &[], &[]).build();
    let client = snapshot.workloads().get(&ObjectName::new("b", "client")).unwrap();
    let sidecar = Workload { enrolment: Enrolment::Sidecar, ..Workload::clone(client) };
    assert_eq!(waypoint_of(&snapshot, VIP, Some(&sidecar)), "direct");
}

#[test]
fn row_19_a_client_that_is_not_enrolled_goes_direct() {
    let draft = setup(NAMESPACE, &[], &[]).pod(("c", "outsider"), "10.1.0.7", &[]);
    let snapshot = draft.build();
    let outsider = snapshot.workloads().get(&ObjectName::new("c", "outsider")).unwrap();
    let destination = VIP.parse().unwrap();
    assert_eq!(
        choose(&snapshot, destination, Some(outsider)),
        Choice::Direct(Direct::NotCaptured(Enrolment::NotLabelled))
    );
}

#[test]
fn a_mapped_address_is_the_address_it_maps() {
    let snapshot = setup(NAMESPACE, &[], &[]).build();
    assert_eq!(waypoint_of(&snapshot, "[::ffff:10.0.0.1]:80", None), "a/w");
}
