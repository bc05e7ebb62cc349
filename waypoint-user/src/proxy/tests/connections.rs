//! TCPRoutes and TLSRoutes before the Service.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};

use super::{
    lab::{Backend, Lab, PATIENCE, add_service, read_until},
    tcp::deny_web,
};
use crate::{
    mesh::{
        object::{ObjectName, Version},
        route::{
            BackendTarget, HttpBackend, HttpFilter, HttpRoute, HttpRule, Redirect, RouteKind,
            ServiceParent,
        },
        service::AppProtocol,
        snapshot::Contents,
        traffic_policy::{TrafficPolicy, TrafficTarget},
    },
    proxy::hello::sample::client_hello,
    telemetry::task,
};

fn name(of: &str) -> ObjectName {
    ObjectName::new("default", of)
}

fn backend(service: &str, weight: u32) -> HttpBackend {
    let target = BackendTarget::Service(name(service), 80);
    HttpBackend { weight, target, filters: Vec::new() }
}

fn route(kind: RouteKind, of: &str, hostnames: &[&str], backends: Vec<HttpBackend>) -> HttpRoute {
    HttpRoute {
        kind,
        name: name(of),
        version: Version::default(),
        created: None,
        parents: vec![ServiceParent::new(name("shop"), None)],
        hostnames: hostnames.iter().map(ToString::to_string).collect(),
        rules: vec![HttpRule { backends, ..HttpRule::default() }],
    }
}

fn add(contents: &mut Contents, route: HttpRoute) {
    let table = match route.kind {
        RouteKind::Tcp => &mut contents.tcp_routes,
        _ => &mut contents.tls_routes,
    };
    table.insert(route.name.clone(), Arc::new(route));
}

/// A backend that says its name as soon as somebody comes, and then sends back what it gets.
fn speaks(backend: Backend, name: &'static str) {
    task::spawn("speaks", async move {
        while let Ok((mut stream, _)) = backend.0.accept().await {
            task::spawn("speaks on", async move {
                let _ = stream.write_all(format!("{name}\n").as_bytes()).await;
                let (mut reader, mut writer) = stream.split();
                let _ = tokio::io::copy(&mut reader, &mut writer).await;
            });
        }
    });
}

/// An engine whose Service has routes, before `v1` and `v2`.
async fn lab(protocol: AppProtocol, routes: Vec<HttpRoute>) -> Lab {
    let (first, second) = (Backend::bind().await, Backend::bind().await);
    let addresses = [first.address(), second.address()];
    speaks(first, "v1");
    speaks(second, "v2");
    let change = move |contents: &mut Contents, _| {
        add_service(contents, "v1", (80, AppProtocol::Tcp), &addresses[..1]);
        add_service(contents, "v2", (80, AppProtocol::Tcp), &addresses[1..]);
        for route in routes {
            add(contents, route);
        }
    };
    Lab::start_with(&[], protocol, |_| {}, change)
}

/// Who answers a new connection.
async fn answering(lab: &Lab) -> String {
    let mut client = lab.connect().await;
    read_until(&mut client, "\n").await
}

#[tokio::test]
async fn a_tcp_route_shares_connections_by_weight_also_where_the_server_speaks_first() {
    for protocol in [AppProtocol::Tcp, AppProtocol::Detect] {
        let backends = vec![backend("v1", 3), backend("v2", 1)];
        let lab = lab(protocol, vec![route(RouteKind::Tcp, "split", &[], backends)]).await;
        let mut counts = BTreeMap::new();
        for _ in 0..200 {
            *counts.entry(answering(&lab).await).or_insert(0) += 1;
        }
        let first = counts["v1\n"];
        assert!((120..=180).contains(&first), "{protocol:?}: {counts:?}");
        let line = lab.line(200).await;
        assert_eq!(line["route_name"], "default.split.0");
        assert_eq!(line["destination_service"], "default/shop");
    }
}

/// An HTTPRoute that redirects the requests of clients of a namespace.
fn redirecting(clients: &str) -> HttpRoute {
    let redirect = Redirect { scheme: None, hostname: None, path: None, port: None, status: 307 };
    let rule = HttpRule { filters: vec![HttpFilter::Redirect(redirect)], ..HttpRule::default() };
    let clients = Some(clients.to_owned());
    let parents = vec![ServiceParent { clients, ..ServiceParent::new(name("shop"), None) }];
    let route = route(RouteKind::Http, "requests", &[], Vec::new());
    HttpRoute { parents, rules: vec![rule], ..route }
}

#[tokio::test]
async fn a_namespace_s_own_routes_of_requests_come_before_those_of_connections_for_all() {
    for (protocol, clients, begins) in [
        (AppProtocol::Detect, "default", "HTTP/1.1 307 "),
        (AppProtocol::Detect, "other", "v1\n"),
        (AppProtocol::Tcp, "default", "v1\n"),
    ] {
        let tcp = route(RouteKind::Tcp, "r", &[], vec![backend("v1", 1)]);
        let mut lab = lab(protocol, vec![tcp]).await;
        let http = redirecting(clients);
        lab.change(|contents| {
            contents.routes.insert(http.name.clone(), Arc::new(http));
        });
        let mut client = lab.connect().await;
        client.write_all(b"GET / HTTP/1.1\r\nhost: shop\r\n\r\n").await.unwrap();
        let answer = read_until(&mut client, "\n").await;
        assert!(answer.starts_with(begins), "{protocol:?}, {clients}: {answer}");
    }
}

/// Attaches a policy with times in milliseconds.
fn limit(contents: &mut Contents, target: TrafficTarget, [idle, most]: [u64; 2]) {
    let time = |millis| (millis > 0).then(|| Duration::from_millis(millis));
    let mut policy =
        TrafficPolicy { name: name("p"), targets: vec![target], ..TrafficPolicy::default() };
    policy.requests.timeouts.stream_idle = time(idle);
    policy.requests.timeouts.max_stream_duration = time(most);
    contents.traffic_policies.insert(policy.name.clone(), Arc::new(policy));
}

#[tokio::test]
async fn a_policy_of_a_tcp_route_ends_connections_that_are_idle_or_too_old() {
    let of_route = TrafficTarget::Route(RouteKind::Tcp, name("r"));
    let of_service = TrafficTarget::Service(name("shop"));
    for (target, times, flag) in
        [(&of_route, [100, 0], "SI"), (&of_route, [0, 100], "UMSDR"), (&of_service, [100, 0], "SI")]
    {
        let tcp = route(RouteKind::Tcp, "r", &[], vec![backend("v1", 1)]);
        let mut lab = lab(AppProtocol::Tcp, vec![tcp]).await;
        lab.change(|contents| limit(contents, target.clone(), times));
        let began = Instant::now();
        let mut client = lab.connect().await;
        assert_eq!(read_until(&mut client, "\n").await, "v1\n");
        assert!(client.read_u8().await.is_err(), "it is reset");
        assert!(began.elapsed() >= Duration::from_millis(100));
        assert_eq!(lab.line(1).await["response_flags"], flag);
    }
}

/// A client that asked for a server by TLS, and was answered by `v1`.
async fn asking_for(lab: &Lab, server: &'static str) -> TcpStream {
    let hello = client_hello(server);
    let mut client = lab.connect().await;
    client.write_all(&hello).await.unwrap();
    assert_eq!(read_until(&mut client, "\n").await, "v1\n");
    AsyncReadExt::read_exact(&mut client, &mut vec![0; hello.len()]).await.unwrap();
    client
}

#[tokio::test]
async fn a_policy_of_a_tls_route_ends_its_connections_and_no_others() {
    for (times, flag) in [([100, 0], "SI"), ([0, 100], "UMSDR")] {
        let routes = ["one", "other"].map(|of| {
            let host = format!("{of}.example.com");
            route(RouteKind::Tls, of, &[&host], vec![backend("v1", 1)])
        });
        let mut lab = lab(AppProtocol::Tcp, routes.to_vec()).await;
        let target = TrafficTarget::Route(RouteKind::Tls, name("one"));
        lab.change(|contents| limit(contents, target, times));
        let mut other = asking_for(&lab, "other.example.com").await;
        let began = Instant::now();
        let mut client = asking_for(&lab, "one.example.com").await;
        assert!(client.read_u8().await.is_err(), "it is reset");
        assert!(began.elapsed() >= Duration::from_millis(100));
        let line = lab.line(1).await;
        assert_eq!(line["response_flags"], flag);
        assert_eq!(line["route_name"], "default.one.0");
        other.write_all(b"still there\n").await.unwrap();
        assert_eq!(read_until(&mut other, "\n").await, "still there\n");
    }
}

#[tokio::test]
async fn a_share_that_leads_nowhere_is_reset_and_says_why() {
    let nowhere = HttpBackend {
        target: BackendTarget::Invalid("backend(x) not found".to_owned()),
        ..backend("v1", 1)
    };
    let backends = vec![backend("v1", 0), nowhere];
    let lab = lab(AppProtocol::Tcp, vec![route(RouteKind::Tcp, "r", &[], backends)]).await;
    lab.connect_in_vain().await;
    let line = lab.line(1).await;
    assert_eq!(line["response_flags"], "NC");
    assert_eq!(line["upstream_cluster"], "BlackHoleCluster");
    assert_eq!(line["route_name"], "default.r.0");
    assert_eq!(line["blame"], "waypoint");
    let parts = ["istio_tcp_connections_closed_total{", "response_flags=\"NC\""];
    assert_eq!(lab.metric(&parts).await.to_string(), "1");
}

#[tokio::test]
async fn a_route_that_is_withdrawn_leaves_its_connections_alone() {
    let tcp = route(RouteKind::Tcp, "r", &[], vec![backend("v2", 1)]);
    let mut lab = lab(AppProtocol::Tcp, vec![tcp]).await;
    let mut client = lab.connect().await;
    read_until(&mut client, "v2\n").await;
    lab.change(|contents| {
        contents.tcp_routes.clear();
        add(contents, route(RouteKind::Tcp, "r", &[], vec![backend("v1", 1)]));
    });
    assert_eq!(answering(&lab).await, "v1\n");
    client.write_all(b"still there\n").await.unwrap();
    assert_eq!(read_until(&mut client, "there\n").await, "still there\n");
}

#[tokio::test]
async fn a_tls_route_goes_by_the_name_of_the_server_and_what_was_read_is_not_lost() {
    let routes = vec![
        route(RouteKind::Tls, "one", &["one.example.com"], vec![backend("v1", 1)]),
        route(RouteKind::Tls, "any", &["*.example.com"], vec![backend("v2", 1)]),
    ];
    let lab = lab(AppProtocol::Tcp, routes).await;
    for (server, answers) in [("one.example.com", "v1\n"), ("two.example.com", "v2\n")] {
        let hello = client_hello(server);
        let mut client = lab.connect().await;
        let (before, after) = hello.split_at(100);
        client.write_all(before).await.unwrap();
        tokio::task::yield_now().await;
        client.write_all(after).await.unwrap();
        assert_eq!(read_until(&mut client, "\n").await, answers);
        let mut back = vec![0; hello.len()];
        AsyncReadExt::read_exact(&mut client, &mut back).await.unwrap();
        assert_eq!(back, hello);
    }
}

/// Sends bytes, and waits for the connection's end.
async fn refused(lab: &Lab, bytes: &[u8]) {
    let mut client: TcpStream = lab.connect().await;
    client.write_all(bytes).await.unwrap();
    let mut byte = [0];
    let end = AsyncReadExt::read(&mut client, &mut byte);
    let end = timeout(PATIENCE, end).await.unwrap();
    assert!(!matches!(end, Ok(1..)), "{end:?}");
}

#[tokio::test]
async fn who_asks_for_no_server_that_is_routed_is_closed_and_told_of() {
    let tls = route(RouteKind::Tls, "one", &["one.example.com"], vec![backend("v1", 1)]);
    let lab = lab(AppProtocol::Tcp, vec![tls]).await;
    let other = client_hello("one.example.org");
    let nobody = client_hello("192.0.2.1");
    for (number, (bytes, details)) in [
        (other.as_slice(), "filter_chain_not_found{server_name:one.example.org}"),
        (nobody.as_slice(), "filter_chain_not_found{no_server_name}"),
        (b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", "filter_chain_not_found{not_tls}"),
    ]
    .into_iter()
    .enumerate()
    {
        refused(&lab, bytes).await;
        let line = lab.line(number + 1).await;
        assert_eq!(line["connection_termination_details"], details);
        assert_eq!(line["response_flags"], "NR");
        assert_eq!(line["blame"], "client");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hello_that_does_not_come_is_not_waited_for() {
    let (mut stream, client) = pair().await;
    let began = Instant::now();
    let (read, name) = crate::proxy::hello::read(&mut stream, bytes::Bytes::new()).await;
    assert!(read.is_empty() && name == Err(crate::proxy::respond::Unnamed::Late), "{name:?}");
    assert!(began.elapsed() >= Duration::from_secs(10));
    drop(client);
}

async fn pair() -> (crate::proxy::stream::Stream, TcpStream) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    (crate::proxy::stream::Stream::Tcp(server), client)
}

#[tokio::test]
async fn who_is_denied_is_closed_before_a_word() {
    let tls = route(RouteKind::Tls, "one", &["one.example.com"], vec![backend("v1", 1)]);
    let mut lab = lab(AppProtocol::Tcp, vec![tls]).await;
    lab.change(deny_web);
    // Nothing is sent, and no ClientHello waited for.
    lab.connect_in_vain().await;
    let line = lab.line(1).await;
    let details = line["connection_termination_details"].as_str().unwrap_or_default();
    assert!(details.starts_with("rbac_access_denied_matched_policy"), "{details}");
}
