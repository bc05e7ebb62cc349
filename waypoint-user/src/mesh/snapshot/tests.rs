use super::*;
use crate::mesh::{object::Version, policy::Action, route::ServiceParent};

fn service(name: &str, vips: &[&str]) -> Service {
    Service {
        vips: vips.iter().map(|vip| vip.parse().unwrap()).collect(),
        ..Service::new(ObjectName::new("default", name))
    }
}

fn workload(name: &str, address: &str, host_network: bool) -> Workload {
    Workload {
        addresses: vec![address.parse().unwrap()],
        host_network,
        ..Workload::new(ObjectName::new("default", name))
    }
}

fn route(name: &str, parents: &[(&str, Option<u16>)]) -> HttpRoute {
    let parent = |(service, port): &(&str, Option<u16>)| {
        ServiceParent::new(ObjectName::new("default", *service), *port)
    };
    HttpRoute {
        kind: RouteKind::Http,
        name: ObjectName::new("default", name),
        version: Version::default(),
        created: None,
        parents: parents.iter().map(parent).collect(),
        hostnames: Vec::new(),
        rules: vec![],
    }
}

fn policy(name: &str, targets: Vec<PolicyTarget>) -> AuthorizationPolicy {
    AuthorizationPolicy {
        name: ObjectName::new("default", name),
        action: Action::Allow,
        targets,
        rules: vec![],
        dry_run: false,
    }
}

/// Objects by name.
fn by_name<T>(
    all: impl IntoIterator<Item = T>,
    name: impl Fn(&T) -> &ObjectName,
) -> BTreeMap<ObjectName, Arc<T>> {
    all.into_iter().map(|one| (name(&one).clone(), Arc::new(one))).collect()
}

#[test]
fn services_are_found_by_any_of_their_addresses_and_the_first_by_name_has_a_shared_one() {
    let all = [
        service("b", &["10.0.0.1", "10.0.0.2"]),
        service("a", &["10.0.0.1", "fd00::1"]),
        service("headless", &[]),
    ];
    let services = by_name(all, |service| &service.name);
    let snapshot = Snapshot::new(Contents { services, ..Contents::default() });
    let found = |vip: &str| {
        snapshot.service_of_vip(vip.parse().unwrap()).map(|service| service.name.name.clone())
    };
    assert_eq!(found("10.0.0.1").as_deref(), Some("a"));
    assert_eq!(found("fd00::1").as_deref(), Some("a"));
    assert_eq!(found("10.0.0.2").as_deref(), Some("b"));
    assert_eq!(found("10.0.0.3"), None);
    assert_eq!(snapshot.services().len(), 3);
}

#[test]
fn workloads_are_found_by_address_unless_they_share_the_nodes() {
    let all = [workload("a", "10.1.0.1", false), workload("agent", "192.168.0.1", true)];
    let workloads = by_name(all, |workload| &workload.name);
    let snapshot = Snapshot::new(Contents { workloads, ..Contents::default() });
    let found = |address: &str| snapshot.workload_of_address(address.parse().unwrap());
    assert_eq!(found("10.1.0.1").map(|workload| workload.owner.as_str()), Some("a"));
    assert!(found("192.168.0.1").is_none());
    assert_eq!(snapshot.workloads().len(), 2);
}

#[test]
fn routes_are_found_once_by_each_service_they_are_attached_to() {
    let all =
        [route("b", &[("s", Some(80)), ("s", None), ("t", None)]), route("a", &[("s", None)])];
    let routes = by_name(all, |route| &route.name);
    let snapshot = Snapshot::new(Contents { routes, ..Contents::default() });
    let found = |service| -> Vec<_> {
        let routes = snapshot.routes_of(&ObjectName::new("default", service));
        routes.iter().map(|route| route.name.name.as_str()).collect()
    };
    assert_eq!(found("s"), ["a", "b"]);
    assert_eq!(found("t"), ["b"]);
    assert!(found("u").is_empty());
}

#[test]
fn policies_are_found_by_each_of_their_targets() {
    let gateway = PolicyTarget::Gateway(ObjectName::new("default", "w"));
    let class = PolicyTarget::GatewayClass("istio-waypoint".into());
    let all = [policy("b", vec![gateway.clone(), class.clone()]), policy("a", vec![class.clone()])];
    let policies = by_name(all, |policy| &policy.name);
    let snapshot = Snapshot::new(Contents { policies, ..Contents::default() });
    let found = |target| -> Vec<_> {
        snapshot.policies_of(target).iter().map(|policy| policy.name.name.as_str()).collect()
    };
    assert_eq!(found(&gateway), ["b"]);
    assert_eq!(found(&class), ["a", "b"]);
    assert!(found(&PolicyTarget::Namespace("default".into())).is_empty());
}

#[test]
fn an_empty_mesh_has_istios_defaults() {
    let settings = Snapshot::default().settings().clone();
    assert_eq!(settings.trust_domain, "cluster.local");
    assert_eq!(settings.root_namespace, "istio-system");
}

#[test]
fn snapshots_of_equal_contents_are_equal() {
    let of = |name| {
        let services = by_name([service(name, &["10.0.0.1"])], |service| &service.name);
        Snapshot::new(Contents { services, ..Contents::default() })
    };
    assert_eq!(of("a"), of("a"));
    assert_ne!(of("a"), of("b"));
}
