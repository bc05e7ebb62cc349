use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use super::Ruleset;
use crate::mesh::{
    object::ObjectName,
    service::{AppProtocol, Endpoint, Service, ServicePort},
    snapshot::{Contents, Snapshot},
};

#[test]
fn every_port_leads_to_the_ready_endpoints_of_its_family() {
    let endpoints = vec![
        endpoint("10.1.0.2", &[(80, 8080), (81, 8081)], true),
        endpoint("10.1.0.3", &[(80, 8080)], true),
        endpoint("10.1.0.4", &[(80, 8080)], false),
        endpoint("fd00::2", &[(80, 8080)], true),
    ];
    let ruleset = ruleset(vec![service("reviews", &["10.96.0.1", "fd00:96::1"], endpoints)]);
    assert_eq!(led(&ruleset, "10.96.0.1:80"), ["10.1.0.2:8080", "10.1.0.3:8080"]);
    assert_eq!(led(&ruleset, "10.96.0.1:81"), ["10.1.0.2:8081"]);
    assert_eq!(led(&ruleset, "[fd00:96::1]:80"), ["[fd00::2]:8080"]);
    assert_eq!(led(&ruleset, "[fd00:96::1]:81"), Vec::<String>::new());
    assert_eq!(ruleset.ways.len(), 4);
}

#[test]
fn an_address_that_two_services_claim_belongs_to_the_one_that_the_mesh_says() {
    let services = ["b", "a"].map(|name| {
        let own = if name == "a" { "10.1.0.1" } else { "10.1.0.2" };
        service(name, &["10.96.0.1"], vec![endpoint(own, &[(80, 80), (81, 81)], true)])
    });
    let ruleset = ruleset(services.into());
    assert_eq!(led(&ruleset, "10.96.0.1:80"), ["10.1.0.1:80"]);
}

#[test]
fn a_headless_service_leads_nowhere() {
    let headless = service("db", &[], vec![endpoint("10.1.0.2", &[(80, 80)], true)]);
    assert_eq!(ruleset(vec![headless]), Ruleset::default());
}

fn led(ruleset: &Ruleset, frontend: &str) -> Vec<String> {
    let frontend: SocketAddr = frontend.parse().unwrap();
    ruleset.ways[&frontend].endpoints.iter().map(ToString::to_string).collect()
}

fn ruleset(services: Vec<Service>) -> Ruleset {
    let named = |service: Service| (service.name.clone(), Arc::new(service));
    let services = services.into_iter().map(named).collect();
    Ruleset::of(&Snapshot::new(Contents { services, ..Contents::default() }))
}

fn service(name: &str, vips: &[&str], endpoints: Vec<Endpoint>) -> Service {
    let port = |number| ServicePort { name: String::new(), number, protocol: AppProtocol::Detect };
    Service {
        vips: vips.iter().map(|vip| vip.parse().unwrap()).collect(),
        ports: vec![port(80), port(81)],
        endpoints,
        ..Service::new(ObjectName::new("shop", name))
    }
}

fn endpoint(address: &str, ports: &[(u16, u16)], ready: bool) -> Endpoint {
    let address: IpAddr = address.parse().unwrap();
    Endpoint { address, workload: None, ports: ports.to_vec(), ready, weight: 1 }
}
