//! Unit tests of what the kernel should hold.

use super::*;
use crate::mesh::{
    binding::{Binding, FailMode, Refusal, RefusalReason},
    service::{AppProtocol, ServicePort},
    snapshot::{Contents, Settings},
    workload::Transport,
};

fn name(name: &str) -> ObjectName {
    ObjectName::new("shop", name)
}

fn bound() -> Binding {
    Binding::Bound(name("waypoint"))
}

fn refused() -> Binding {
    let reason = RefusalReason::WaypointIsNotReady;
    Binding::Refused(Refusal { waypoint: name("waypoint"), reason })
}

fn service(vips: &[&str], binding: Binding) -> Service {
    let port = |number| ServicePort { name: String::new(), number, protocol: AppProtocol::Detect };
    Service {
        vips: vips.iter().map(|vip| vip.parse().unwrap()).collect(),
        ports: vec![port(80), port(9080)],
        binding,
        ..Service::new(name("reviews"))
    }
}

fn workload(addresses: &[&str]) -> Workload {
    Workload {
        addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        enrolment: Enrolment::Enrolled,
        netns: Some(NetnsRef::Name("web".to_owned())),
        ..Workload::new(name("web"))
    }
}

fn desired(services: Vec<Service>, workloads: Vec<Workload>) -> Desired {
    desired_in(CaptureMode::Waypoint, services, workloads)
}

fn desired_in(capture: CaptureMode, services: Vec<Service>, workloads: Vec<Workload>) -> Desired {
    let contents = Contents {
        settings: Settings { capture, ..Settings::default() },
        services: services.into_iter().map(|s| (s.name.clone(), Arc::new(s))).collect(),
        workloads: workloads.into_iter().map(|w| (w.name.clone(), Arc::new(w))).collect(),
        ..Contents::default()
    };
    Desired::of(&Snapshot::new(contents), None)
}

fn key(address: &str, port: u16) -> DestinationKey {
    DestinationKey::tcp(address.parse::<IpAddr>().unwrap().into(), port.to_be())
}

#[test]
fn a_bound_service_is_captured_on_every_address_and_declared_port() {
    let desired = desired(vec![service(&["10.96.0.10", "fd00:96::10"], bound())], Vec::new());
    let captured = desired.destinations;
    for address in ["10.96.0.10", "fd00:96::10"] {
        for port in [80, 9080] {
            let entry = captured.get(&key(address, port)).unwrap();
            assert_eq!((entry.action, entry.flags), (action::CAPTURE, 0));
        }
    }
    assert_eq!(captured.len(), 4);
}

#[test]
fn failing_closed_is_carried_in_the_entry() {
    let closed = Service { fail_closed: true, ..service(&["10.96.0.10"], bound()) };
    let desired = desired(vec![closed], Vec::new());
    assert_eq!(desired.destinations.get(&key("10.96.0.10", 80)).unwrap().flags, FAIL_CLOSED);
    let address: IpAddr = "10.96.0.10".parse().unwrap();
    assert!(desired.destinations.contains_key(&DestinationKey::guard(address.into())));
}

#[test]
fn a_waypoint_that_cannot_be_used_refuses_only_where_the_fail_mode_says_so() {
    let direct = desired(vec![service(&["10.96.0.10"], refused())], Vec::new());
    assert!(direct.destinations.is_empty());
    let closed = Service { fail_mode: FailMode::Closed, ..service(&["10.96.0.10"], refused()) };
    let desired = desired(vec![closed], Vec::new());
    assert_eq!(desired.destinations.get(&key("10.96.0.10", 80)).unwrap().action, action::REFUSE);
}

#[test]
fn a_workload_is_refused_too_where_its_waypoint_cannot_be_used_and_it_fails_closed() {
    let open = Workload { binding: refused(), ..workload(&["10.1.0.2"]) };
    let closed = Workload { fail_closed: true, ..open.clone() };
    assert!(desired(Vec::new(), vec![open]).destinations.is_empty());
    let desired = desired(Vec::new(), vec![closed]);
    assert_eq!(desired.destinations.get(&key("10.1.0.2", 0)).unwrap().action, action::REFUSE);
}

#[test]
fn a_service_without_a_waypoint_or_without_an_address_is_left_alone() {
    assert!(
        desired(vec![service(&["10.96.0.10"], Binding::Direct)], vec![]).destinations.is_empty()
    );
    assert!(desired(vec![service(&[], bound())], vec![]).destinations.is_empty());
}

#[test]
fn a_bound_workload_is_captured_on_every_port() {
    let pod =
        Workload { binding: bound(), fail_closed: true, ..workload(&["10.1.0.2", "fd00:1::2"]) };
    let desired = desired(Vec::new(), vec![pod]);
    for address in ["10.1.0.2", "fd00:1::2"] {
        assert_eq!(desired.destinations.get(&key(address, 0)).unwrap().flags, FAIL_CLOSED);
    }
}

#[test]
fn what_must_stay_reachable_is_never_captured() {
    let never = [
        "0.0.0.0",
        "127.0.0.1",
        "169.254.1.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "ff02::1",
        "::ffff:127.0.0.1",
    ];
    let pod = Workload { binding: bound(), ..workload(&never) };
    assert!(desired(vec![service(&never, bound())], vec![pod]).destinations.is_empty());
}

#[test]
fn addresses_of_waypoints_and_of_the_node_are_never_captured() {
    let waypoint = Workload {
        name: name("waypoint-pod"),
        enrolment: Enrolment::Waypoint,
        instance_of: Some(name("waypoint")),
        binding: bound(),
        ..workload(&["10.1.0.9"])
    };
    let node = Workload {
        name: name("node-pod"),
        host_network: true,
        binding: bound(),
        ..workload(&["192.168.0.1"])
    };
    let services = vec![service(&["10.1.0.9", "192.168.0.1"], bound())];
    let desired = desired(services, vec![waypoint, node]);
    assert!(desired.destinations.is_empty() && desired.pods.is_empty());
}

#[test]
fn only_enrolled_pods_of_this_node_are_captured() {
    let pods = vec![
        workload(&["10.1.0.2"]),
        Workload { name: name("out"), enrolment: Enrolment::OptedOut, ..workload(&["10.1.0.3"]) },
        Workload { name: name("far"), netns: None, ..workload(&["10.1.0.4"]) },
        Workload { name: name("none"), ..workload(&[]) },
    ];
    let desired = desired(Vec::new(), pods);
    assert_eq!(desired.pods.keys().collect::<Vec<_>>(), [&name("web")]);
}

#[test]
fn pods_that_the_agent_enters_are_looked_for_when_nobody_says_where_they_are() {
    let uid = |number: u32| Arc::<str>::from(format!("00000000-0000-4000-8000-{number:012x}"));
    let pod = |number: u32, addresses: &[&str]| Workload {
        name: name(&format!("pod-{number}")),
        uid: uid(number),
        netns: None,
        ..workload(addresses)
    };
    let waypoint = Enrolment::Waypoint;
    let pods = vec![
        pod(1, &["10.1.0.1"]),
        Workload { enrolment: waypoint, instance_of: Some(name("w")), ..pod(2, &["10.1.0.2"]) },
        Workload { enrolment: Enrolment::NotLabelled, ..pod(3, &["10.1.0.3"]) },
        Workload { host_network: true, ..pod(4, &["192.168.0.1"]) },
        Workload { netns: Some(NetnsRef::Name("web".to_owned())), ..pod(5, &["10.1.0.5"]) },
        Workload { uid: "Kubernetes//Pod/shop/pod-6".into(), ..pod(6, &["10.1.0.6"]) },
        pod(7, &[]),
    ];
    let desired = desired(Vec::new(), pods);
    let sought: Vec<_> = desired.sought.iter().map(|sought| Arc::clone(&sought.uid)).collect();
    assert_eq!(sought, [uid(1), uid(2)]);
    let known = |number: u32| desired.pods[&name(&format!("pod-{number}"))].netns.is_some();
    assert_eq!(desired.pods.len(), 2);
    assert!(!known(1) && known(5));
}

#[test]
fn of_a_waypoint_behind_its_agent_tunnels_are_captured_and_in_mesh_mode_what_it_opens() {
    let waypoint = Workload { instance_of: Some(name("waypoint")), ..workload(&["10.1.0.9"]) };
    for (mode, client) in [(CaptureMode::Waypoint, false), (CaptureMode::Mesh, true)] {
        let desired = desired_in(mode, Vec::new(), vec![waypoint.clone()]);
        assert!(desired.destinations.is_empty());
        assert_eq!(desired.pods[&name("web")].client, client);
    }
}

#[test]
fn of_two_services_with_one_address_the_one_that_has_it_counts() {
    let other = Service { name: name("zebra"), ..service(&["10.96.0.10"], bound()) };
    let desired = desired(vec![service(&["10.96.0.10"], Binding::Direct), other], Vec::new());
    assert!(desired.destinations.is_empty());
}

#[test]
fn in_mesh_mode_every_service_and_every_enrolled_workload_is_captured_and_fails_open() {
    let plain = service(&["10.96.0.10"], Binding::Direct);
    let refused = Service { name: name("z"), ..service(&["10.96.0.11"], refused()) };
    let enrolled = Workload { transport: Transport::Hbone, ..workload(&["10.1.0.2"]) };
    let outside = Workload {
        name: name("out"),
        enrolment: Enrolment::NotLabelled,
        ..workload(&["10.1.0.3"])
    };
    let desired = desired_in(CaptureMode::Mesh, vec![plain, refused], vec![enrolled, outside]);
    for (address, port) in [("10.96.0.10", 80), ("10.96.0.11", 9080), ("10.1.0.2", 0)] {
        let entry = desired.destinations.get(&key(address, port)).unwrap();
        assert_eq!((entry.action, entry.flags, entry.waypoint_id), (action::CAPTURE, 0, 0));
    }
    assert_eq!(desired.destinations.len(), 5);
}

#[test]
fn in_mesh_mode_what_fails_closed_still_does() {
    let closed = Service { fail_mode: FailMode::Closed, ..service(&["10.96.0.11"], refused()) };
    let bound =
        Service { name: name("bound"), fail_closed: true, ..service(&["10.96.0.10"], bound()) };
    let desired = desired_in(CaptureMode::Mesh, vec![closed, bound], Vec::new());
    let entry = |address| desired.destinations.get(&key(address, 80)).unwrap();
    assert_eq!(entry("10.96.0.11").action, action::REFUSE);
    assert_eq!(entry("10.96.0.10").flags, FAIL_CLOSED);
}

#[test]
fn in_mesh_mode_too_a_waypoints_own_addresses_are_left_alone() {
    let waypoint = Workload {
        instance_of: Some(name("waypoint")),
        enrolment: Enrolment::Waypoint,
        transport: Transport::Hbone,
        ..workload(&["10.1.0.9"])
    };
    let desired = desired_in(CaptureMode::Mesh, Vec::new(), vec![waypoint]);
    assert!(desired.destinations.is_empty());
}
