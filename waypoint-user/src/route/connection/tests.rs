use super::*;
use crate::mesh::{
    object::Version,
    route::{HttpRule, ServiceParent},
};

fn shop() -> ObjectName {
    ObjectName::new("shop", "db")
}

fn backend(name: &str, weight: u32) -> HttpBackend {
    let target = BackendTarget::Service(ObjectName::new("shop", name), 80);
    HttpBackend { weight, target, filters: Vec::new() }
}

fn route(kind: RouteKind, name: &str, hostnames: &[&str], backends: Vec<HttpBackend>) -> HttpRoute {
    HttpRoute {
        kind,
        name: ObjectName::new("shop", name),
        version: Version::default(),
        created: None,
        parents: vec![ServiceParent::new(shop(), None)],
        hostnames: hostnames.iter().map(ToString::to_string).collect(),
        rules: vec![HttpRule { backends, ..HttpRule::default() }],
    }
}

/// The backend that each name leads to, of routes that have one backend, called as they are.
fn led(routes: Vec<HttpRoute>, name: Option<&str>) -> String {
    let routes: Vec<_> = routes.into_iter().map(Arc::new).collect();
    let table = ConnectionTable::compile(&routes, &shop(), 5432).unwrap();
    match table.rules(None).unwrap().choose(name, &mut |_| 0) {
        ConnectionChoice::Forward { service, .. } => service.name.clone(),
        ConnectionChoice::Unroutable { reason, .. } => format!("nowhere: {reason}"),
        ConnectionChoice::NoMatch => "nothing".to_owned(),
    }
}

fn tls(name: &str, hostnames: &[&str]) -> HttpRoute {
    route(RouteKind::Tls, name, hostnames, vec![backend(name, 1)])
}

#[test]
fn an_exact_name_comes_before_a_wildcard_and_a_longer_wildcard_before_a_shorter() {
    let routes = || {
        vec![
            tls("short", &["*.example.com"]),
            tls("long", &["*.eu.example.com"]),
            tls("exact", &["a.eu.example.com", "example.com"]),
        ]
    };
    for (name, expected) in [
        ("a.eu.example.com", "exact"),
        ("A.EU.example.COM.", "exact"),
        ("b.eu.example.com", "long"),
        ("c.b.eu.example.com", "long"),
        ("eu.example.com", "short"),
        ("example.com", "exact"),
        ("example.org", "nothing"),
        ("com", "nothing"),
        ("", "nothing"),
    ] {
        assert_eq!(led(routes(), Some(name)), expected, "{name}");
    }
    assert_eq!(led(routes(), None), "nothing");
}

#[test]
fn a_route_without_names_is_for_every_name_but_not_for_none() {
    let routes = || vec![tls("all", &[]), tls("one", &["one.example.com"])];
    assert_eq!(led(routes(), Some("one.example.com")), "one");
    assert_eq!(led(routes(), Some("two.example.com")), "all");
    assert_eq!(led(routes(), None), "nothing");
}

#[test]
fn of_routes_for_one_name_the_older_has_it_and_then_the_first_by_name() {
    let older = |route: HttpRoute| HttpRoute { created: Some(1), ..route };
    let name = Some("a.example.com");
    let routes = vec![tls("a", &["a.example.com"]), older(tls("b", &["a.example.com"]))];
    assert_eq!(led(routes, name), "b");
    let routes = vec![tls("b", &["a.example.com"]), tls("a", &["a.example.com"])];
    assert_eq!(led(routes, name), "a");
}

#[test]
fn tls_routes_come_before_tcp_routes() {
    let tcp = || route(RouteKind::Tcp, "tcp", &[], vec![backend("tcp", 1)]);
    assert_eq!(led(vec![tcp()], None), "tcp");
    assert_eq!(led(vec![tcp(), tls("tls", &["a.b"])], None), "nothing");
    assert_eq!(led(vec![tcp(), tls("tls", &["a.b"])], Some("a.b")), "tls");
}

#[test]
fn weights_share_connections_and_zero_gets_none() {
    let backends = vec![backend("none", 0), backend("three", 3), backend("one", 1)];
    let routes = [Arc::new(route(RouteKind::Tcp, "tcp", &[], backends))];
    let table = ConnectionTable::compile(&routes, &shop(), 5432).unwrap();
    let mut shares = HashMap::new();
    for roll in 0..4 {
        let choice = table.rules(None).unwrap().choose(None, &mut |sides| {
            assert_eq!(sides, 4);
            roll
        });
        let ConnectionChoice::Forward { service, .. } = choice else { panic!("{choice:?}") };
        *shares.entry(service.name.as_str()).or_insert(0) += 1;
    }
    assert_eq!(shares, HashMap::from([("three", 3), ("one", 1)]));
}

#[test]
fn what_leads_nowhere_says_why() {
    let of = |backends| route(RouteKind::Tcp, "tcp", &[], backends);
    let invalid = HttpBackend {
        target: BackendTarget::Invalid("not there".to_owned()),
        ..backend("none", 1)
    };
    assert_eq!(led(vec![of(vec![invalid])], None), "nowhere: not there");
    assert_eq!(led(vec![of(vec![backend("a", 0)])], None), "nowhere: no backend has a weight");
    assert_eq!(led(vec![of(vec![])], None), "nowhere: no backend has a weight");
}

#[test]
fn clients_with_routes_of_their_own_go_by_these_alone() {
    let of_all = tls("all", &["a.example.com"]);
    let parents = vec![ServiceParent {
        clients: Some("web".to_owned()),
        ..ServiceParent::new(shop(), Some(5432))
    }];
    let own = HttpRoute { parents, ..tls("own", &["b.example.com"]) };
    let routes = [Arc::new(of_all), Arc::new(own)];
    let table = ConnectionTable::compile(&routes, &shop(), 5432).unwrap();
    let matches = |namespace: &str, name| {
        let choice = table.rules(Some(namespace)).unwrap().choose(Some(name), &mut |_| 0);
        choice != ConnectionChoice::NoMatch
    };
    assert!(matches("shop", "a.example.com") && !matches("shop", "b.example.com"));
    assert!(!matches("web", "a.example.com") && matches("web", "b.example.com"));
    let other = ConnectionTable::compile(&routes, &shop(), 80).unwrap();
    assert!(
        other.rules(Some("web")).unwrap().choose(Some("a.example.com"), &mut |_| 0)
            != ConnectionChoice::NoMatch
    );
}
