//! What becomes of tunnels that arrive, by example.

use super::*;
use crate::mesh::{
    binding::Canary,
    service::{AppProtocol, Endpoint, ServicePort},
    waypoint::InboundBinding,
};

/// Namespace `a`: pods `p1` and `p2`, Service `s` on `p1` and headless Service `h` on `p2`, and a
/// pod of waypoint `w` whose HBONE is terminated for it.
fn contents(binding: Option<InboundBinding>) -> Contents {
    let mut contents = Contents::default();
    for (name, ips, of) in [
        ("p1", &["10.1.0.1", "fd01::1"][..], None),
        ("p2", &["10.1.0.2"], None),
        ("w-1", &["10.1.0.8", "fd01::8"], Some("w")),
    ] {
        let workload = Workload {
            addresses: ips.iter().map(|ip| ip.parse().unwrap()).collect(),
            instance_of: of.map(|of| ObjectName::new("a", of)),
            ..Workload::new(ObjectName::new("a", name))
        };
        contents.workloads.insert(workload.name.clone(), Arc::new(workload));
    }
    let waypoint =
        Waypoint { inbound_binding: binding, ..Waypoint::new(ObjectName::new("a", "w")) };
    contents.waypoints.insert(waypoint.name.clone(), Arc::new(waypoint));
    for (name, vips, endpoints) in [
        ("s", &["10.0.0.1", "fd00::1"][..], &[("10.1.0.1", "p1"), ("fd01::1", "p1")][..]),
        ("h", &[], &[("10.1.0.2", "p2")]),
    ] {
        let port =
            |number| ServicePort { name: String::new(), number, protocol: AppProtocol::Detect };
        let endpoint = |(ip, pod): &(&str, &str)| Endpoint {
            address: ip.parse().unwrap(),
            workload: Some(ObjectName::new("a", *pod)),
            ports: vec![(80, 8080), (81, 15006)],
            ready: false,
            weight: 1,
        };
        let service = Service {
            vips: vips.iter().map(|vip| vip.parse().unwrap()).collect(),
            ports: vec![port(80), port(81), port(82)],
            endpoints: endpoints.iter().map(endpoint).collect(),
            ..Service::new(ObjectName::new("a", name))
        };
        contents.services.insert(service.name.clone(), Arc::new(service));
    }
    contents
}

/// An address, or else a host name with its port.
fn authority(text: &str) -> Authority<'_> {
    if let Ok(address) = text.parse() {
        return Authority::Address(address);
    }
    let (host, port) = text.rsplit_once(':').unwrap();
    Authority::Host(host, port.parse().unwrap())
}

/// What becomes of a tunnel at a pod, in words.
fn arrives(contents: &Contents, pod: &str, text: &str) -> String {
    let snapshot = Snapshot::new(contents.clone());
    let workload = snapshot.workloads().get(&ObjectName::new("a", pod)).unwrap();
    match inbound(&snapshot, workload, authority(text)) {
        Inbound::NotHere => "not here".to_owned(),
        Inbound::Unknown => "unknown".to_owned(),
        Inbound::Deliver { address, destination, service, binding } => {
            let service = service.map_or("-", |service| service.name.name.as_str());
            let proxy =
                binding.map_or("", |binding| if binding.proxy { " proxy" } else { " bare" });
            format!("{address} for {destination} {service}{proxy}")
        }
    }
}

#[test]
fn a_pod_takes_what_is_for_itself_or_for_a_service_that_it_serves() {
    let mesh = contents(None);
    for (pod, authority, expected) in [
        ("p1", "10.1.0.1:8080", "10.1.0.1:8080 for 10.1.0.1:8080 -"),
        ("p1", "[fd01::1]:9", "[fd01::1]:9 for [fd01::1]:9 -"),
        ("p1", "[::ffff:10.1.0.1]:9", "10.1.0.1:9 for 10.1.0.1:9 -"),
        ("p1", "10.1.0.2:8080", "not here"),
        ("p1", "192.0.2.1:80", "not here"),
        ("p1", "127.0.0.1:80", "not here"),
        ("p1", "10.0.0.1:80", "10.1.0.1:8080 for 10.1.0.1:8080 s"),
        ("p1", "[fd00::1]:80", "[fd01::1]:8080 for [fd01::1]:8080 s"),
        ("p1", "10.0.0.1:82", "unknown"),
        ("p2", "10.0.0.1:80", "not here"),
        ("p1", "s.a.svc.cluster.local:80", "10.1.0.1:8080 for 10.1.0.1:8080 s"),
        ("p1", "S.A.svc.CLUSTER.local.:80", "10.1.0.1:8080 for 10.1.0.1:8080 s"),
        ("p2", "h.a.svc.cluster.local:80", "10.1.0.2:8080 for 10.1.0.2:8080 h"),
        ("p2", "s.a.svc.cluster.local:80", "not here"),
        ("p1", "s.a.svc.cluster.local:82", "unknown"),
        ("p1", "gone.a.svc.cluster.local:80", "unknown"),
        ("p1", "s.a:80", "unknown"),
        ("p1", "s.a.svc.other:80", "unknown"),
        ("p1", ".svc.cluster.local:80", "unknown"),
    ] {
        assert_eq!(arrives(&mesh, pod, authority), expected, "{authority} at {pod}");
    }
}

#[test]
fn nothing_is_delivered_to_a_port_of_the_agents_own() {
    let mesh = contents(None);
    for port in [15008, 15006, 15001] {
        assert_eq!(arrives(&mesh, "p1", &format!("10.1.0.1:{port}")), "unknown");
    }
    assert_eq!(arrives(&mesh, "p1", "10.0.0.1:81"), "unknown", "nor by a Service's mapping");
}

#[test]
fn a_waypoint_that_is_told_of_the_client_gets_what_is_bound_to_it() {
    let proxy = InboundBinding { proxy: true, port: Some(15088) };
    let mut mesh = contents(Some(proxy));
    assert_eq!(arrives(&mesh, "w-1", "10.0.0.1:80"), "not here");
    let service = mesh.services.get_mut(&ObjectName::new("a", "s")).unwrap();
    Arc::make_mut(service).binding = Binding::Bound(ObjectName::new("a", "w"));
    for (authority, expected) in [
        ("10.0.0.1:80", "10.1.0.8:15088 for 10.0.0.1:80 s proxy"),
        ("[fd00::1]:80", "[fd01::8]:15088 for [fd00::1]:80 s proxy"),
        ("s.a.svc.cluster.local:80", "10.1.0.8:15088 for 10.0.0.1:80 s proxy"),
        ("10.0.0.1:99", "not here"),
        ("10.1.0.8:15020", "10.1.0.8:15020 for 10.1.0.8:15020 -"),
        // Nobody writes a header of his own there.
        ("10.1.0.8:15088", "10.1.0.8:15088 for 10.1.0.8:15088 - proxy"),
    ] {
        assert_eq!(arrives(&mesh, "w-1", authority), expected, "{authority}");
    }
    let mut bind = |proxy, authority| {
        let waypoint = mesh.waypoints.get_mut(&ObjectName::new("a", "w")).unwrap();
        Arc::make_mut(waypoint).inbound_binding = Some(InboundBinding { proxy, port: None });
        arrives(&mesh, "w-1", authority)
    };
    assert_eq!(bind(false, "10.0.0.1:80"), "10.1.0.8:80 for 10.0.0.1:80 s bare");
    assert_eq!(bind(false, "10.1.0.8:80"), "10.1.0.8:80 for 10.1.0.8:80 -");
    assert_eq!(bind(true, "10.0.0.1:80"), "10.1.0.8:80 for 10.0.0.1:80 s proxy");
    assert_eq!(bind(true, "10.1.0.8:80"), "10.1.0.8:80 for 10.1.0.8:80 - proxy");
}

#[test]
fn a_waypoint_serves_what_is_bound_to_it_and_nothing_else() {
    let mut mesh = contents(None);
    let served = |mesh: &Contents, waypoint: &str, text: &str| {
        let snapshot = Snapshot::new(mesh.clone());
        let bound = bound_to(&snapshot, &ObjectName::new("a", waypoint), authority(text));
        bound.map(|bound| match bound.target {
            Target::Service(service) => format!("{} {}", service.name.name, bound.destination),
            Target::Workload(workload) => format!("{} {}", workload.name.name, bound.destination),
        })
    };
    assert_eq!(served(&mesh, "w", "10.0.0.1:80"), None);
    let service = Arc::make_mut(mesh.services.get_mut(&ObjectName::new("a", "s")).unwrap());
    service.binding = Binding::Bound(ObjectName::new("a", "w"));
    service.canary = Some(Canary { waypoint: ObjectName::new("a", "w2"), weight: 0 });
    let pod = Arc::make_mut(mesh.workloads.get_mut(&ObjectName::new("a", "p2")).unwrap());
    pod.binding = Binding::Bound(ObjectName::new("a", "w"));
    for (waypoint, authority, expected) in [
        ("w", "10.0.0.1:80", Some("s 10.0.0.1:80")),
        ("w", "[::ffff:10.0.0.1]:80", Some("s 10.0.0.1:80")),
        ("w", "s.a.svc.cluster.local:80", Some("s 10.0.0.1:80")),
        ("w2", "10.0.0.1:80", Some("s 10.0.0.1:80")),
        ("w3", "10.0.0.1:80", None),
        ("w", "10.0.0.1:8080", None),
        ("w", "h.a.svc.cluster.local:80", None),
        ("w", "10.1.0.2:7", Some("p2 10.1.0.2:7")),
        ("w2", "10.1.0.2:7", None),
        ("w", "10.1.0.1:8080", None),
        ("w", "192.0.2.1:80", None),
    ] {
        let got = served(&mesh, waypoint, authority);
        assert_eq!(got.as_deref(), expected, "{authority} at {waypoint}");
    }
}
