//! Waypoints of service accounts by example.

use super::*;
use crate::select::enrol::MANAGED_WAYPOINT;

/// Gateway `a/w` stands for account `a/reviews` and takes `takes`.
fn draft(takes: TrafficType) -> Draft {
    let of_account = |waypoint: &mut Waypoint| waypoint.for_account = Some("reviews".to_owned());
    Draft::default()
        .namespace("a", &[])
        .namespace("labelled", &[(USE_WAYPOINT, "none")])
        .waypoint("a", "w", takes)
        .change("w", of_account)
        .waypoint("labelled", "v", takes)
        .change("v", of_account)
        .waypoint("a", "other", TrafficType::All)
}

fn name(text: &str) -> ObjectName {
    let (namespace, name) = text.split_once('/').unwrap();
    ObjectName::new(namespace, name)
}

/// What a Service of the namespace `a` is bound to whose endpoints run under these accounts, `?`
/// for one that nobody knows.
fn service(draft: &Draft, pairs: &[(&str, &str)], accounts: &[&str]) -> String {
    let named: Vec<Option<ObjectName>> =
        accounts.iter().map(|one| (*one != "?").then(|| name(one))).collect();
    let named: Vec<Option<&ObjectName>> = named.iter().map(Option::as_ref).collect();
    let of_account = Accounts::of(&draft.waypoints);
    let mesh = draft.mesh(&of_account);
    told(mesh.for_service_by_accounts("a", &labels(pairs), &named))
}

fn told(binding: Binding) -> String {
    match binding {
        Binding::Direct => "direct".to_owned(),
        Binding::Bound(waypoint) => waypoint.to_string(),
        Binding::Refused(refusal) => format!("{} {}", refusal.reason.as_str(), refusal.waypoint),
    }
}

#[test]
fn a_service_is_bound_if_all_its_endpoints_run_under_the_account() {
    let draft = draft(TrafficType::All);
    for (accounts, expected) in [
        (&["a/reviews", "a/reviews"][..], "a/w"),
        (&["a/reviews", "a/default"], "MixedServiceAccounts a/w"),
        (&["a/default", "a/reviews"], "MixedServiceAccounts a/w"),
        (&["a/reviews", "?"], "MixedServiceAccounts a/w"),
        (&["a/default"], "direct"),
        (&["b/reviews"], "direct"),
        (&["?"], "direct"),
        (&[], "direct"),
    ] {
        assert_eq!(service(&draft, &[], accounts), expected, "{accounts:?}");
    }
}

#[test]
fn labels_beat_the_annotation() {
    let draft = draft(TrafficType::All);
    let of_account = Accounts::of(&draft.waypoints);
    let mesh = draft.mesh(&of_account);
    for label in [(USE_WAYPOINT, "other"), (USE_WAYPOINT, "none"), (MANAGED, MANAGED_WAYPOINT)] {
        assert_eq!(service(&draft, &[label], &["a/reviews"]), "direct", "{label:?}");
    }
    let pod = |labels: &Labels, account: &str| {
        told(mesh.for_workload_by_account(labels, &name(account), false))
    };
    assert_eq!(pod(&labels(&[]), "a/reviews"), "a/w");
    assert_eq!(pod(&labels(&[(USE_WAYPOINT, "none")]), "a/reviews"), "direct");
    assert_eq!(pod(&labels(&[]), "labelled/reviews"), "direct");
    assert_eq!(pod(&labels(&[]), "a/default"), "direct");
    assert_eq!(
        told(mesh.for_workload_by_account(&labels(&[]), &name("a/reviews"), true)),
        "direct"
    );
}

#[test]
fn a_waypoint_takes_what_its_label_says_also_for_an_account() {
    for (takes, of_service, of_pod) in [
        (TrafficType::Service, "a/w", "direct"),
        (TrafficType::Workload, "direct", "a/w"),
        (TrafficType::None, "direct", "direct"),
    ] {
        let draft = draft(takes);
        let of_account = Accounts::of(&draft.waypoints);
        let mesh = draft.mesh(&of_account);
        assert_eq!(service(&draft, &[], &["a/reviews"]), of_service);
        let pod = mesh.for_workload_by_account(&labels(&[]), &name("a/reviews"), false);
        assert_eq!(told(pod), of_pod);
    }
}

#[test]
fn a_waypoint_that_is_not_ready_or_does_not_admit_its_namespace_is_refused() {
    let unready = draft(TrafficType::All).change("w", |waypoint| waypoint.ready = false);
    assert_eq!(service(&unready, &[], &["a/reviews"]), "WaypointIsNotReady a/w");
    let closed = draft(TrafficType::All).change("w", |waypoint| {
        let other = labels(&[("kubernetes.io/metadata.name", "b")]);
        waypoint.allowed = AllowedNamespaces::Selector(Selector::equals(&other));
    });
    assert_eq!(service(&closed, &[], &["a/reviews"]), "AttachmentDenied a/w");
}

#[test]
fn of_two_waypoints_for_an_account_the_first_by_name_stands() {
    let draft = draft(TrafficType::All)
        .change("other", |waypoint| waypoint.for_account = Some("reviews".to_owned()));
    assert_eq!(service(&draft, &[], &["a/reviews"]), "a/other");
}
