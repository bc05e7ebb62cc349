use super::*;
use crate::mesh::label::Requirement;

#[test]
fn traffic_types_parse_and_print_alike() {
    let all = [
        (TrafficType::Service, true, false),
        (TrafficType::Workload, false, true),
        (TrafficType::All, true, true),
        (TrafficType::None, false, false),
    ];
    for (takes, services, workloads) in all {
        assert_eq!(TrafficType::parse(takes.as_str()), Some(takes));
        assert_eq!((takes.takes_services(), takes.takes_workloads()), (services, workloads));
    }
    assert_eq!(TrafficType::parse("services"), None);
    assert_eq!(TrafficType::parse("Service"), None);
    assert_eq!(TrafficType::default(), TrafficType::Service);
}

#[test]
fn namespaces_are_allowed_by_being_the_same_by_default() {
    let allow = |allowed: &AllowedNamespaces, namespace: &str| {
        let labels = Labels::from([("team".to_owned(), namespace.to_owned())]);
        allowed.allow("a", namespace, &labels)
    };
    assert!(allow(&AllowedNamespaces::default(), "a"));
    assert!(!allow(&AllowedNamespaces::default(), "b"));
    assert!(allow(&AllowedNamespaces::All, "b"));
    let requirements = vec![Requirement::In("team".into(), vec!["b".into()])];
    let selected = AllowedNamespaces::Selector(Selector { requirements });
    assert!(allow(&selected, "b"));
    // A selector must match the waypoint's own namespace as well.
    assert!(!allow(&selected, "a"));
}
