use super::*;

fn service() -> Service {
    let port = |name: &str, number| ServicePort {
        name: name.into(),
        number,
        protocol: AppProtocol::default(),
    };
    Service {
        vips: vec!["10.0.0.1".parse().unwrap()],
        ports: vec![port("http", 80), port("metrics", 9090)],
        ..Service::new(ObjectName::new("default", "reviews"))
    }
}

#[test]
fn a_service_is_found_by_its_name_in_the_cluster_domain() {
    assert_eq!(service().host("cluster.local"), "reviews.default.svc.cluster.local");
}

#[test]
fn ports_are_found_by_number() {
    assert_eq!(service().port(9090).map(|port| port.name.as_str()), Some("metrics"));
    assert_eq!(service().port(81), None);
}

#[test]
fn a_service_without_virtual_address_is_headless() {
    assert!(!service().is_headless());
    assert!(Service { vips: vec![], ..service() }.is_headless());
}

#[test]
fn an_endpoint_is_dialled_where_the_port_leads() {
    let endpoint = Endpoint {
        address: "10.1.0.1".parse().unwrap(),
        workload: None,
        ports: vec![(80, 8080)],
        ready: true,
        weight: 1,
    };
    assert_eq!(endpoint.target_port(80), Some(8080));
    assert_eq!(endpoint.target_port(8080), None);
}
