//! What becomes of captured connections, by example.

use super::*;
use crate::mesh::{
    binding::Canary,
    node::Node,
    service::{AppProtocol, Distribution, Endpoint, ServicePort},
    snapshot::{CaptureMode, Settings},
    waypoint::Placement,
    workload::Transport,
};

const VIP: &str = "10.0.0.1:80";
const POD: &str = "10.1.0.1:8080";

/// Namespace `a` with Service `s` on two pods, of which `p2` is not enrolled, waypoint `w` with two
/// instances, and the enrolled client of namespace `b`.
fn contents(capture: CaptureMode) -> Contents {
    let mut contents =
        Contents { settings: Settings { capture, ..Settings::default() }, ..Contents::default() };
    for waypoint in ["w", "w2", "nobody"] {
        add_waypoint(&mut contents, waypoint, Placement::Pods(Vec::new()));
    }
    for (name, ips, of) in [
        ("p1", ["10.1.0.1", "fd01::1"], None),
        ("p2", ["10.1.0.2", "fd01::2"], None),
        ("w-1", ["10.1.0.8", "fd01::8"], Some("w")),
        ("w-2", ["10.1.0.9", "fd01::9"], Some("w")),
        ("w2-1", ["10.1.0.10", "fd01::10"], Some("w2")),
        ("client", ["10.1.0.7", "fd01::7"], None),
    ] {
        let enrolment = match (name, of) {
            ("p2", _) => Enrolment::NotLabelled,
            (_, Some(_)) => Enrolment::Waypoint,
            _ => Enrolment::Enrolled,
        };
        let workload = Workload {
            addresses: ips.map(|ip| ip.parse().unwrap()).to_vec(),
            enrolment,
            transport: if name == "p2" { Transport::Plain } else { Transport::Hbone },
            instance_of: of.map(|of| ObjectName::new("a", of)),
            ..Workload::new(ObjectName::new("a", name))
        };
        contents.workloads.insert(workload.name.clone(), Arc::new(workload));
    }
    let endpoint = |ip: &str, pod: &str| Endpoint {
        address: ip.parse().unwrap(),
        workload: Some(ObjectName::new("a", pod)),
        ports: vec![(80, 8080)],
        ready: true,
        weight: 1,
    };
    let port = ServicePort { name: String::new(), number: 80, protocol: AppProtocol::Detect };
    let service = Service {
        vips: ["10.0.0.1", "fd00::1"].map(|vip| vip.parse().unwrap()).to_vec(),
        ports: vec![port],
        endpoints: vec![
            endpoint("10.1.0.1", "p1"),
            endpoint("10.1.0.2", "p2"),
            endpoint("fd01::1", "p1"),
        ],
        ..Service::new(ObjectName::new("a", "s"))
    };
    contents.services.insert(service.name.clone(), Arc::new(service));
    contents
}

fn add_waypoint(contents: &mut Contents, name: &str, placement: Placement) {
    let waypoint = Waypoint { placement, ..Waypoint::new(ObjectName::new("a", name)) };
    contents.waypoints.insert(waypoint.name.clone(), Arc::new(waypoint));
}

fn bound(to: &str) -> Binding {
    Binding::Bound(ObjectName::new("a", to))
}

fn refused() -> Binding {
    let waypoint = ObjectName::new("a", "gone");
    Binding::Refused(Refusal { waypoint, reason: RefusalReason::WaypointIsNotReady })
}

fn service(contents: &mut Contents, change: impl FnOnce(&mut Service)) {
    change(Arc::make_mut(contents.services.get_mut(&ObjectName::new("a", "s")).unwrap()));
}

fn pod(contents: &mut Contents, name: &str, change: impl FnOnce(&mut Workload)) {
    change(Arc::make_mut(contents.workloads.get_mut(&ObjectName::new("a", name)).unwrap()));
}

/// What a client gets, in words; the dice always show `throw`.
fn dialled(contents: &Contents, client: &str, destination: &str, throw: u32) -> String {
    let snapshot = Snapshot::new(contents.clone());
    let client = snapshot.workloads().get(&ObjectName::new("a", client)).unwrap();
    let mut dice = |sides: u32| throw.min(sides - 1);
    match outbound(&snapshot, destination.parse().unwrap(), client, &mut dice) {
        Outbound::Waypoint { waypoint, instances, .. } => {
            let instances: Vec<_> = instances.iter().map(|one| one.address.to_string()).collect();
            format!("{} at [{}]", waypoint.name.name, instances.join(" "))
        }
        Outbound::Tunnel(to) => format!("tunnel {}", to.address),
        Outbound::Plain(to) => format!("plain {}", to.address),
        Outbound::Refuse(by) => match by {
            RefusedBy::Unusable(_) => "refused: unusable".to_owned(),
            RefusedBy::NoInstance(name) => format!("refused: no instance of {}", name.name),
            RefusedBy::NoEndpoint(name) => format!("refused: no endpoint of {}", name.name),
        },
    }
}

fn dial(contents: &Contents, destination: &str) -> String {
    dialled(contents, "client", destination, 0)
}

#[test]
fn a_service_goes_to_an_instance_of_its_waypoint_in_the_family_that_was_dialled() {
    let mut mesh = contents(CaptureMode::Waypoint);
    service(&mut mesh, |one| one.binding = bound("w"));
    assert_eq!(dialled(&mesh, "client", VIP, 0), "w at [10.1.0.8 10.1.0.9]");
    assert_eq!(dialled(&mesh, "client", VIP, 1), "w at [10.1.0.9 10.1.0.8]");
    assert_eq!(dial(&mesh, "[fd00::1]:80"), "w at [fd01::8 fd01::9]");
    pod(&mut mesh, "w-1", |one| one.ready = false);
    assert_eq!(dial(&mesh, VIP), "w at [10.1.0.9]");
    pod(&mut mesh, "w-2", |one| one.addresses = vec!["fd01::9".parse().unwrap()]);
    assert_eq!(dial(&mesh, VIP), "w at [fd01::9]", "the other family rather than nothing");
}

#[test]
fn a_waypoint_without_a_ready_instance_refuses_unless_the_mode_is_open() {
    let mut mesh = contents(CaptureMode::Waypoint);
    for (mode, expected) in [
        (FailMode::Unset, "refused: no instance of nobody"),
        (FailMode::Closed, "refused: no instance of nobody"),
        (FailMode::Open, "plain 10.1.0.1:8080"),
    ] {
        service(&mut mesh, |one| (one.binding, one.fail_mode) = (bound("nobody"), mode));
        assert_eq!(dial(&mesh, VIP), expected, "{mode:?}");
        pod(&mut mesh, "p1", |one| (one.binding, one.fail_mode) = (bound("nobody"), mode));
        assert_eq!(dial(&mesh, POD), expected, "{mode:?}");
    }
}

#[test]
fn a_waypoint_whose_pods_are_not_known_is_reached_by_its_addresses() {
    let mut mesh = contents(CaptureMode::Waypoint);
    let addresses = ["192.0.2.1", "2001:db8::1"].map(|ip| ip.parse().unwrap()).to_vec();
    add_waypoint(&mut mesh, "foreign", Placement::Pods(addresses.clone()));
    service(&mut mesh, |one| one.binding = bound("foreign"));
    assert_eq!(dial(&mesh, VIP), "foreign at [192.0.2.1 2001:db8::1]");
    add_waypoint(&mut mesh, "w", Placement::Pods(addresses));
    for name in ["w-1", "w-2"] {
        pod(&mut mesh, name, |one| one.ready = false);
    }
    service(&mut mesh, |one| one.binding = bound("w"));
    assert_eq!(dial(&mesh, VIP), "refused: no instance of w", "known pods, none of them ready");
}

#[test]
fn a_waypoint_of_the_clients_node_or_of_this_process_has_no_instances() {
    for placement in [Placement::Node, Placement::Here] {
        let mut mesh = contents(CaptureMode::Waypoint);
        add_waypoint(&mut mesh, "near", placement);
        service(&mut mesh, |one| one.binding = bound("near"));
        assert_eq!(dial(&mesh, VIP), "near at []");
    }
}

#[test]
fn a_canary_takes_its_share() {
    let mut mesh = contents(CaptureMode::Waypoint);
    let canary = Canary { waypoint: ObjectName::new("a", "w2"), weight: 20 };
    service(&mut mesh, |one| (one.binding, one.canary) = (bound("w"), Some(canary)));
    assert_eq!(dialled(&mesh, "client", VIP, 19), "w2 at [10.1.0.10]");
    assert_eq!(dialled(&mesh, "client", VIP, 20), "w at [10.1.0.9 10.1.0.8]");
}

#[test]
fn a_workload_waypoint_takes_only_what_is_addressed_to_the_workload() {
    for mode in [CaptureMode::Waypoint, CaptureMode::Mesh] {
        let mut mesh = contents(mode);
        pod(&mut mesh, "p1", |one| one.binding = bound("w"));
        assert_eq!(dial(&mesh, POD), "w at [10.1.0.8 10.1.0.9]");
        let past = dial(&mesh, VIP);
        assert!(past.ends_with(" 10.1.0.1:8080"), "{past}");
    }
}

#[test]
fn what_a_waypoint_dials_meets_none() {
    let mut mesh = contents(CaptureMode::Mesh);
    service(&mut mesh, |one| one.binding = bound("w"));
    pod(&mut mesh, "p1", |one| one.binding = bound("w"));
    for destination in [VIP, POD] {
        assert_eq!(dialled(&mesh, "w-1", destination, 0), "tunnel 10.1.0.1:8080");
    }
}

#[test]
fn without_a_waypoint_the_mode_says_whether_a_tunnel_is_made() {
    let (plain, mesh) = (contents(CaptureMode::Waypoint), contents(CaptureMode::Mesh));
    for (destination, throw, without, within) in [
        (VIP, 0, "plain 10.1.0.1:8080", "tunnel 10.1.0.1:8080"),
        (VIP, 1, "plain 10.1.0.2:8080", "plain 10.1.0.2:8080"),
        ("[fd00::1]:80", 0, "plain [fd01::1]:8080", "tunnel [fd01::1]:8080"),
        ("[::ffff:10.0.0.1]:80", 0, "plain 10.1.0.1:8080", "tunnel 10.1.0.1:8080"),
        (POD, 0, "plain 10.1.0.1:8080", "tunnel 10.1.0.1:8080"),
        ("10.1.0.2:8080", 0, "plain 10.1.0.2:8080", "plain 10.1.0.2:8080"),
        ("10.1.0.8:15020", 0, "plain 10.1.0.8:15020", "plain 10.1.0.8:15020"),
        ("192.0.2.9:443", 0, "plain 192.0.2.9:443", "plain 192.0.2.9:443"),
        ("10.0.0.1:81", 0, "refused: no endpoint of s", "refused: no endpoint of s"),
    ] {
        assert_eq!(dialled(&plain, "client", destination, throw), without, "{destination}");
        assert_eq!(dialled(&mesh, "client", destination, throw), within, "{destination}");
    }
}

#[test]
fn only_ready_endpoints_are_dialled() {
    let mut mesh = contents(CaptureMode::Mesh);
    service(&mut mesh, |one| one.endpoints[0].ready = false);
    assert_eq!(dial(&mesh, VIP), "plain 10.1.0.2:8080");
    service(&mut mesh, |one| one.endpoints[1].ready = false);
    assert_eq!(dial(&mesh, VIP), "tunnel [fd01::1]:8080", "the other family rather than nothing");
    service(&mut mesh, |one| one.endpoints[2].ready = false);
    assert_eq!(dial(&mesh, VIP), "refused: no endpoint of s");
}

#[test]
fn a_waypoint_that_cannot_be_used_is_passed_by_or_refuses() {
    let mut mesh = contents(CaptureMode::Mesh);
    service(&mut mesh, |one| one.binding = refused());
    assert_eq!(dial(&mesh, VIP), "tunnel 10.1.0.1:8080");
    service(&mut mesh, |one| one.fail_mode = FailMode::Closed);
    assert_eq!(dial(&mesh, VIP), "refused: unusable");
}

/// Puts pods on nodes, of which the second is of another zone.
fn on_nodes(mesh: &mut Contents, pods: &[(&str, &str)]) {
    for (node, zone) in [("n1", "z1"), ("n1b", "z1"), ("n2", "z2")] {
        let name = ObjectName::cluster(node);
        let (region, zone) = ("eu".to_owned(), zone.to_owned());
        let node = Node { name: name.clone(), addresses: Vec::new(), region, zone };
        mesh.nodes.insert(name, Arc::new(node));
    }
    for (name, node) in pods {
        pod(mesh, name, |one| (*node).clone_into(&mut one.node));
    }
}

#[test]
fn a_waypoint_is_reached_at_the_nearest_of_its_instances_and_the_others_come_after() {
    let mut mesh = contents(CaptureMode::Waypoint);
    service(&mut mesh, |one| one.binding = bound("w"));
    on_nodes(&mut mesh, &[("client", "n1"), ("w-1", "n2"), ("w-2", "n1b")]);
    for throw in [0, 1] {
        assert_eq!(dialled(&mesh, "client", VIP, throw), "w at [10.1.0.9 10.1.0.8]");
    }
    on_nodes(&mut mesh, &[("w-1", "n1")]);
    for throw in [0, 1] {
        assert_eq!(dialled(&mesh, "client", VIP, throw), "w at [10.1.0.8 10.1.0.9]");
    }
}

#[test]
fn the_service_of_a_waypoint_may_ask_for_any_instance_or_for_those_of_the_node() {
    let mut mesh = contents(CaptureMode::Waypoint);
    service(&mut mesh, |one| one.binding = bound("w"));
    on_nodes(&mut mesh, &[("client", "n1"), ("w-1", "n2"), ("w-2", "n1b")]);
    let mut own = Service::new(ObjectName::new("a", "w"));
    let mut asks = |mesh: &mut Contents, distribution| {
        own.distribution = distribution;
        mesh.services.insert(own.name.clone(), Arc::new(own.clone()));
    };
    asks(&mut mesh, Distribution::Any);
    assert_eq!(dialled(&mesh, "client", VIP, 0), "w at [10.1.0.8 10.1.0.9]");
    assert_eq!(dialled(&mesh, "client", VIP, 1), "w at [10.1.0.9 10.1.0.8]");
    asks(&mut mesh, Distribution::OnlyNode);
    assert_eq!(dialled(&mesh, "client", VIP, 0), "refused: no instance of w");
    on_nodes(&mut mesh, &[("w-1", "n1")]);
    assert_eq!(dialled(&mesh, "client", VIP, 0), "w at [10.1.0.8]");
}

#[test]
fn endpoints_are_taken_by_where_they_are_as_the_service_asks() {
    let mut mesh = contents(CaptureMode::Mesh);
    on_nodes(&mut mesh, &[("client", "n1"), ("p1", "n2"), ("p2", "n1b")]);
    let both = ["tunnel 10.1.0.1:8080", "plain 10.1.0.2:8080"];
    for (distribution, expected) in [
        (Distribution::Unset, both),
        (Distribution::Any, both),
        (Distribution::PreferZone, [both[1], both[1]]),
        (Distribution::PreferNode, [both[1], both[1]]),
        (Distribution::OnlyNode, ["refused: no endpoint of s"; 2]),
    ] {
        service(&mut mesh, |one| one.distribution = distribution);
        for (throw, expected) in [0, 1].into_iter().zip(expected) {
            assert_eq!(dialled(&mesh, "client", VIP, throw), expected, "{distribution:?}");
        }
    }
    // Whoever is not ready is not near.
    service(&mut mesh, |one| {
        one.distribution = Distribution::PreferZone;
        one.endpoints[1].ready = false;
    });
    assert_eq!(dial(&mesh, VIP), both[0]);
}
