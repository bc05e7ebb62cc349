//! A pod that answers over a real socket.

use std::net::{IpAddr, Ipv4Addr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::mesh::{
    binding::Binding,
    report::Report,
    route::{HttpRoute, RouteKind, ServiceParent},
    service::Service,
    snapshot::Contents,
    waypoint::Waypoint,
};

/// A mesh in which a route's parent has a waypoint whose pod has this address.
fn state(address: IpAddr, ready: bool) -> State {
    state_of(RouteKind::Http, address, ready)
}

/// The same with a route of this kind.
fn state_of(kind: RouteKind, address: IpAddr, ready: bool) -> State {
    let (service, waypoint) = (ObjectName::new("a", "s"), ObjectName::new("a", "w"));
    let route = HttpRoute {
        kind,
        name: ObjectName::new("a", "r"),
        version: Version::default(),
        created: None,
        parents: vec![ServiceParent::new(service.clone(), None)],
        hostnames: Vec::new(),
        rules: Vec::new(),
    };
    let binding = Binding::Bound(waypoint.clone());
    let service = Service { binding, ..Service::new(service) };
    let placement = Placement::Pods(Vec::new());
    let gateway = Waypoint { placement, ..Waypoint::new(waypoint.clone()) };
    let pod = Workload {
        addresses: vec![address],
        ready,
        instance_of: Some(waypoint.clone()),
        ..Workload::new(ObjectName::new("a", "p"))
    };
    let routes = BTreeMap::from([(route.name.clone(), Arc::new(route))]);
    let of_kind = |of| if of == kind { routes.clone() } else { BTreeMap::new() };
    let snapshot = Snapshot::new(Contents {
        services: [(service.name.clone(), Arc::new(service))].into(),
        routes: of_kind(RouteKind::Http),
        grpc_routes: of_kind(RouteKind::Grpc),
        tls_routes: of_kind(RouteKind::Tls),
        tcp_routes: of_kind(RouteKind::Tcp),
        waypoints: [(waypoint, Arc::new(gateway))].into(),
        workloads: [(pod.name.clone(), Arc::new(pod))].into(),
        ..Contents::default()
    });
    let report = Arc::new(Report::default());
    State { objects: Arc::default(), snapshot: Arc::new(snapshot), report }
}

/// Answers one request on a connection, and tells what was asked.
async fn answer(stream: &mut tokio::net::TcpStream, page: &str) -> String {
    let mut request = vec![0; 1024];
    let read = stream.read(&mut request).await.unwrap();
    let response = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{page}", page.len());
    stream.write_all(response.as_bytes()).await.unwrap();
    String::from_utf8_lossy(&request[..read]).lines().next().unwrap_or_default().to_owned()
}

fn page(version: &str, generation: i64) -> String {
    format!(
        "{{\"version\":\"{version}\",\"routes\":{{\"HTTPRoute\":[{{\"namespace\":\"a\",\
         \"name\":\"r\",\"uid\":\"u\",\"generation\":{generation}}}]}}}}"
    )
}

#[tokio::test]
async fn a_ready_pod_is_asked_again_and_again_and_forgotten_when_it_is_not_ready_any_more() {
    let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let listener = TcpListener::bind((local, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (states, receiver) = watch::channel(state(local, true));
    let token = CancellationToken::new();
    let mut applied = follow(receiver, port, &Registry::new(), &token);
    let route = ObjectRef::new("HTTPRoute", ObjectName::new("a", "r"));
    let has = |applied: &Applied, generation| {
        let version = Version { uid: "u".to_owned(), generation };
        applied.pods.values().any(|routes| routes.have(&route, &version))
    };

    let (mut stream, _) = listener.accept().await.unwrap();
    assert_eq!(answer(&mut stream, &page("1", 1)).await, "GET /applied HTTP/1.1");
    applied.wait_for(|applied| has(applied, 1)).await.unwrap();
    assert_eq!(answer(&mut stream, &page("2", 2)).await, "GET /applied?after=1 HTTP/1.1");
    applied.wait_for(|applied| has(applied, 2)).await.unwrap();

    drop(stream);
    let (mut stream, _) = listener.accept().await.unwrap();
    assert_eq!(answer(&mut stream, &page("9", 3)).await, "GET /applied HTTP/1.1");
    applied.wait_for(|applied| has(applied, 3)).await.unwrap();

    states.send_replace(state(local, false));
    let mut rest = Vec::new();
    // The last question may still be on its way.
    stream.read_to_end(&mut rest).await.unwrap();
    states.send_replace(state(local, true));
    let (mut stream, _) = listener.accept().await.unwrap();
    answer(&mut stream, &page("9", 4)).await;
    applied.wait_for(|applied| has(applied, 4)).await.unwrap();
    token.cancel();
}

#[test]
fn the_pods_before_the_parents_of_either_kind_of_routes_are_asked() {
    let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
    for kind in [RouteKind::Http, RouteKind::Grpc] {
        assert_eq!(pods(&state_of(kind, local, true).snapshot).len(), 1, "{kind:?}");
        assert_eq!(pods(&state_of(kind, local, false).snapshot).len(), 0, "{kind:?}");
    }
}
