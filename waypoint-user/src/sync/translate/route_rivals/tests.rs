use super::*;
use crate::mesh::{object::Version, service::ServicePort};

fn shop() -> ObjectName {
    ObjectName::new("shop", "s")
}

/// A Service with a port of each declaration.
fn services() -> Services {
    let port = |number, protocol| ServicePort { name: String::new(), number, protocol };
    let ports = vec![
        port(80, AppProtocol::Http),
        port(81, AppProtocol::Detect),
        port(82, AppProtocol::Tcp),
    ];
    Services::from([(shop(), Service { ports, ..Service::new(shop()) })])
}

fn parent(port: Option<u16>) -> ServiceParent {
    ServiceParent::new(shop(), port)
}

fn route(kind: RouteKind, parents: Vec<ServiceParent>) -> HttpRoute {
    HttpRoute {
        kind,
        name: ObjectName::new("shop", "first"),
        version: Version::default(),
        created: None,
        parents,
        hostnames: Vec::new(),
        rules: Vec::new(),
    }
}

/// The ports that are left to a route of every port; zero stands for the Service as a whole.
fn left(kind: RouteKind, before: &[HttpRoute]) -> Result<Vec<u16>, &'static str> {
    let services = services();
    let mut rivals = Rivals::new(&services);
    for route in before {
        rivals.take(route);
    }
    match rivals.left(kind, vec![parent(None)]) {
        Ok(left) => Ok(left.parents.iter().map(|one| one.port.unwrap_or(0)).collect()),
        Err((reason, _)) => Err(reason),
    }
}

#[test]
fn routes_of_connections_are_for_ports_that_are_not_declared_as_http() {
    for kind in [RouteKind::Tcp, RouteKind::Tls] {
        assert_eq!(left(kind, &[]), Ok(vec![81, 82]));
        let services = services();
        let rivals = Rivals::new(&services);
        let (reason, message) = rivals.left(kind, vec![parent(Some(80))]).unwrap_err();
        assert_eq!(reason, "UnsupportedValue");
        assert!(message.contains("port 80 of shop/s is declared as HTTP"), "{message}");
    }
    assert_eq!(left(RouteKind::Http, &[]), Ok(vec![0]));
}

#[test]
fn the_more_specific_kind_has_the_port() {
    let of = |kind| [route(kind, vec![parent(None)])];
    assert_eq!(left(RouteKind::Http, &of(RouteKind::Grpc)), Err("Conflicted"));
    assert_eq!(left(RouteKind::Tcp, &of(RouteKind::Tls)), Err("Conflicted"));
    // Where nothing but bytes is declared, routes of requests would have no effect anyway.
    for http in [RouteKind::Http, RouteKind::Grpc] {
        assert_eq!(left(RouteKind::Tls, &of(http)), Ok(vec![82]));
        assert_eq!(left(RouteKind::Tcp, &of(http)), Ok(vec![82]));
    }
    assert_eq!(left(RouteKind::Http, &of(RouteKind::Http)), Ok(vec![0]));
    assert_eq!(left(RouteKind::Tls, &of(RouteKind::Tls)), Ok(vec![81, 82]));
}

#[test]
fn a_tcp_route_gives_way_to_an_older_one_and_to_tls_behind_http() {
    let at = |kind, port| route(kind, vec![parent(Some(port))]);
    assert_eq!(left(RouteKind::Tcp, &[at(RouteKind::Tcp, 81)]), Ok(vec![82]));
    assert_eq!(left(RouteKind::Tcp, &[at(RouteKind::Tcp, 81), at(RouteKind::Tls, 82)]), {
        Err("Conflicted")
    });
    let before = [at(RouteKind::Http, 82), at(RouteKind::Tls, 82), at(RouteKind::Http, 81)];
    assert_eq!(left(RouteKind::Tcp, &before), Err("Conflicted"));
}

#[test]
fn requests_are_left_their_parent_where_only_some_ports_are_taken() {
    let grpc = route(RouteKind::Grpc, vec![parent(Some(80))]);
    assert_eq!(left(RouteKind::Http, &[grpc]), Ok(vec![0]));
}

#[test]
fn routes_for_some_clients_are_not_in_the_way_of_those_for_others() {
    let services = services();
    let of =
        |clients: &str| ServiceParent { clients: Some(clients.to_owned()), ..parent(Some(82)) };
    let mut rivals = Rivals::new(&services);
    rivals.take(&route(RouteKind::Tcp, vec![of("web")]));
    assert!(rivals.left(RouteKind::Tcp, vec![of("web")]).is_err());
    for other in [of("api"), parent(Some(82))] {
        let left = rivals.left(RouteKind::Tcp, vec![other.clone()]).unwrap();
        assert_eq!(
            left,
            Left { parents: vec![ServiceParent { port: Some(82), ..other }], lost: None }
        );
    }
}
