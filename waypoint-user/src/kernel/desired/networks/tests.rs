//! Unit tests of captured ranges.

use std::sync::Arc;

use super::*;
use crate::mesh::{
    binding::Binding,
    external::{External, Resolution},
    object::ObjectName,
    service::{AppProtocol, Service, ServicePort},
    snapshot::Contents,
    workload::Workload,
};

fn service(name: &str, ranges: &[&str], binding: Binding) -> Service {
    let external = External {
        entry: ObjectName::new("shop", name),
        ranges: ranges.iter().map(|range| range.parse().unwrap()).collect(),
        resolution: Resolution::Original,
        private: false,
    };
    let port = ServicePort { name: String::new(), number: 443, protocol: AppProtocol::Tcp };
    let name = ObjectName::new("shop", name);
    Service { external: Some(external), ports: vec![port], binding, ..Service::new(name) }
}

fn bound() -> Binding {
    Binding::Bound(ObjectName::new("shop", "waypoint"))
}

fn of(services: Vec<Service>, pods: &[&str]) -> (Networks, HashMap<DestinationKey, Destination>) {
    let pods = pods.iter().map(|address| {
        let name = ObjectName::new("shop", format!("pod-{}", address.replace([':', '.'], "-")));
        Workload { addresses: vec![address.parse().unwrap()], ..Workload::new(name) }
    });
    Networks::of(&Snapshot::new(Contents {
        services: services.into_iter().map(|s| (s.name.clone(), Arc::new(s))).collect(),
        workloads: pods.map(|pod| (pod.name.clone(), Arc::new(pod))).collect(),
        ..Contents::default()
    }))
}

fn network(text: &str) -> Network {
    Network::of(text.parse().unwrap())
}

#[test]
fn a_bound_range_is_captured_by_its_ports() {
    for range in ["198.18.0.0/15", "2001:db8::/32"] {
        let (networks, destinations) = of(vec![service("api", &[range], bound())], &[]);
        let found = networks.all.get(&network(range)).unwrap();
        assert!(found.is_some());
        let key = DestinationKey::tcp(network(range).first, 443_u16.to_be()).in_range(found);
        assert_eq!(destinations.get(&key).unwrap().action, action::CAPTURE);
        assert_eq!(destinations.len(), 1);
    }
}

#[test]
fn what_is_somebodys_own_is_left_out_before_the_range_is_there() {
    let all = service("all", &["0.0.0.0/0", "::/0"], bound());
    let (networks, _) = of(vec![all], &["10.1.0.1", "fd00::1"]);
    for inside in ["10.1.0.1/32", "fd00::1/128", "127.0.0.0/8", "::1/128", "169.254.0.0/16"] {
        assert_eq!(networks.exceptions.get(&network(inside)), Some(&Range::NONE), "{inside}");
        assert_eq!(networks.all.get(&network(inside)), Some(&Range::NONE), "{inside}");
    }
    // In the map, all of IPv4 and what maps it into IPv6 are one network.
    assert!(networks.all.get(&network("0.0.0.0/0")).unwrap().is_some());
    assert!(networks.all.get(&network("::/0")).unwrap().is_some());
}

#[test]
fn every_address_of_ipv6_is_none_of_ipv4() {
    let (networks, _) = of(vec![service("six", &["::/0"], bound())], &[]);
    assert_eq!(networks.all.get(&network("0.0.0.0/0")), Some(&Range::NONE));
}

#[test]
fn a_range_without_a_waypoint_is_cut_out_of_a_wider_one() {
    let wide = service("wide", &["198.18.0.0/15"], bound());
    let narrow = service("narrow", &["198.18.7.0/24"], Binding::Direct);
    let (networks, destinations) = of(vec![wide, narrow.clone()], &[]);
    assert_eq!(networks.all.get(&network("198.18.7.0/24")), Some(&Range::NONE));
    assert_eq!(destinations.len(), 1);
    let (networks, destinations) = of(vec![narrow], &[]);
    assert!(networks.all.is_empty() && destinations.is_empty());
}

#[test]
fn a_range_that_fails_closed_is_guarded() {
    let closed = Service { fail_closed: true, ..service("api", &["198.18.0.0/15"], bound()) };
    let open = of(vec![service("api", &["198.18.0.0/15"], bound())], &[]).0;
    let flags = |networks: &Networks| networks.all.get(&network("198.18.0.0/15")).unwrap().flags;
    assert_eq!((flags(&of(vec![closed], &[]).0), flags(&open)), (FAIL_CLOSED, 0));
}

#[test]
fn what_never_leaves_the_machine_is_no_range() {
    let (networks, destinations) = of(vec![service("own", &["127.1.0.0/16"], bound())], &[]);
    assert!(networks.all.is_empty() && destinations.is_empty());
}
