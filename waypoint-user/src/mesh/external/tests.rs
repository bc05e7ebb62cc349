//! Unit tests of names of hosts.

use super::*;

#[test]
fn a_host_is_named_so_that_no_kubernetes_service_can_be() {
    for (host, name) in [
        ("api.example.com", "api.example.com"),
        ("API.Example.com.", "api.example.com"),
        ("*.example.com", "*.example.com"),
        ("reviews", "reviews."),
    ] {
        assert_eq!(service_name("shop", host), ObjectName::new("shop", name), "{host}");
    }
}

#[test]
fn a_named_endpoint_knows_where_its_ports_lead() {
    let host = "a.example".to_owned();
    let endpoint = NamedEndpoint { host, ports: vec![(443, 8443)], weight: 1 };
    assert_eq!(endpoint.target_port(443), Some(8443));
    assert_eq!(endpoint.target_port(80), None);
}
