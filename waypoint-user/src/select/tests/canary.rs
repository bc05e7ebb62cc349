//! Second waypoints by example, and whose word counts.

use super::*;
use crate::mesh::{
    binding::Canary,
    label::{CANARY, CANARY_NAMESPACE, CANARY_WEIGHT},
};

/// What comes of the labels and annotations of a Service `a/s` and of its namespace: the second
/// waypoint with its weight, or why there is none.
fn canary(service: [&[(&str, &str)]; 2], namespace: [&[(&str, &str)]; 2]) -> String {
    let draft = Draft::default()
        .namespace("a", namespace[0])
        .waypoint("a", "w", TrafficType::Service)
        .waypoint("a", "w2", TrafficType::All)
        .waypoint("a", "pods", TrafficType::Workload)
        .waypoint("b", "guest", TrafficType::Service)
        .change("guest", |waypoint| waypoint.allowed = AllowedNamespaces::All)
        .waypoint("b", "private", TrafficType::Service)
        .waypoint("a", "unready", TrafficType::Service)
        .change("unready", |waypoint| waypoint.ready = false);
    let accounts = Accounts::default();
    let mesh = draft.mesh(&accounts);
    let (own, annotations) = (labels(service[0]), labels(service[1]));
    let primary = mesh.for_service("a", &own);
    let asking = Asking {
        namespace: "a",
        labels: &own,
        annotations: &annotations,
        namespace_annotations: &labels(namespace[1]),
    };
    match mesh.canary(&asking, primary.waypoint().unwrap()) {
        Ok(None) => "none".to_owned(),
        Ok(Some(Canary { waypoint, weight })) => format!("{waypoint} {weight}"),
        Err(refusal) => format!("{} {}", refusal.reason(), refusal.waypoint),
    }
}

const PRIMARY: (&str, &str) = (USE_WAYPOINT, "w");

#[test]
fn whose_canary_counts() {
    let weight: &[(&str, &str)] = &[(CANARY_WEIGHT, "20")];
    let other: &[(&str, &str)] = &[(CANARY_WEIGHT, "30")];
    let both: &[(&str, &str)] = &[PRIMARY, (CANARY, "w2")];
    let only: &[(&str, &str)] = &[(CANARY, "w2")];
    let guest: &[(&str, &str)] = &[PRIMARY, (CANARY, "guest"), (CANARY_NAMESPACE, "b")];
    let first: &[(&str, &str)] = &[PRIMARY];
    let none: &[(&str, &str)] = &[(CANARY, "none")];
    for (service, namespace, expected) in [
        ([&[][..], &[]], [both, weight], "a/w2 20"),
        ([both, weight], [first, other], "a/w2 20"),
        ([only, weight], [first, &[]], "a/w2 20"),
        ([only, weight], [guest, other], "a/w2 20"),
        ([first, &[]], [both, weight], "none"),
        ([none, &[]], [both, weight], "none"),
        ([&[], weight], [both, other], "a/w2 30"),
        ([guest, &[]], [&[], &[]], "b/guest 0"),
        ([first, weight], [&[], &[]], "none"),
    ] {
        assert_eq!(canary(service, namespace), expected, "{service:?} {namespace:?}");
    }
}

#[test]
fn what_is_wrong_with_a_canary_is_told_apart() {
    let weigh = |weight: &'static str| [(CANARY_WEIGHT, weight)];
    for (name, home, weight, expected) in [
        ("gone", "a", "1", "WaypointIsNotReady a/gone"),
        ("unready", "a", "1", "WaypointIsNotReady a/unready"),
        ("private", "b", "1", "AttachmentDenied b/private"),
        ("pods", "a", "1", "UnsupportedTrafficType a/pods"),
        ("w", "a", "1", "CanarySameAsPrimary a/w"),
        ("w2", "a", "101", "CanaryInvalidWeight a/w2"),
        ("w2", "a", "-1", "CanaryInvalidWeight a/w2"),
        ("w2", "a", "half", "CanaryInvalidWeight a/w2"),
        ("w2", "a", "100", "a/w2 100"),
        ("w2", "a", "0", "a/w2 0"),
    ] {
        let asks = [PRIMARY, (CANARY, name), (CANARY_NAMESPACE, home)];
        assert_eq!(canary([&asks, &weigh(weight)], [&[], &[]]), expected, "{name} {weight}");
    }
}

#[test]
fn row_20_the_weight_is_the_share_of_connections() {
    let (first, second) = (ObjectName::new("a", "w"), ObjectName::new("a", "w2"));
    let mut service = Service {
        binding: Binding::Bound(first.clone()),
        canary: Some(Canary { waypoint: second.clone(), weight: 20 }),
        ..Service::new(ObjectName::new("a", "s"))
    };
    let share = |service: &Service| {
        (0..100).filter(|throw| weighted(service, &mut |_| *throw) == Some(&second)).count()
    };
    assert_eq!(share(&service), 20);
    for weight in [0, 100] {
        service.canary = Some(Canary { waypoint: second.clone(), weight });
        assert_eq!(share(&service), usize::try_from(weight).unwrap());
    }
    service.binding = Binding::Direct;
    assert_eq!(weighted(&service, &mut |_| 0), None, "without a first there is no second");
}
