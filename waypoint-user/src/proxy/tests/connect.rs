//! CONNECT: tunnels to where a route has them.

use bytes::Bytes;
use h2::{client, server};
use http::{Method, Request, Response};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

use super::{
    conduct::service,
    lab::{Backend, Lab, PATIENCE, add_route, add_service, read_to_end, read_until},
    refusals::deny,
};
use crate::{
    mesh::{
        object::Version,
        route::{
            BackendTarget, HttpBackend, HttpFilter, HttpMatch, HttpRoute, HttpRule, PathMatch,
            Rewrite, RouteKind, ServiceParent,
        },
        service::AppProtocol,
        snapshot::Contents,
    },
    telemetry::task,
};

const ASK: &[u8] = b"CONNECT db.test:5432 HTTP/1.1\r\nhost: db.test:5432\r\n\r\n";
const GRANT: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

/// A rule for requests of this method and path, to the Service `v1`.
fn rule(method: Option<&str>, path: PathMatch) -> HttpRule {
    let one = HttpMatch { method: method.map(str::to_owned), path, ..HttpMatch::default() };
    let to = BackendTarget::Service(service("v1"), 80);
    let backend = HttpBackend { weight: 1, target: to, filters: Vec::new() };
    HttpRule { matches: vec![one], backends: vec![backend], ..HttpRule::default() }
}

fn connects() -> HttpRule {
    rule(Some("CONNECT"), PathMatch::default())
}

/// An engine before `shop`, whose requests go to `v1` by such rules.
fn lab(backend: &Backend, protocol: AppProtocol, rules: Vec<HttpRule>) -> Lab {
    lab_with(backend, protocol, rules, |_| {})
}

fn lab_with(
    backend: &Backend,
    protocol: AppProtocol,
    rules: Vec<HttpRule>,
    change: impl FnOnce(&mut Contents),
) -> Lab {
    let route = HttpRoute {
        kind: RouteKind::Http,
        name: service("shop"),
        version: Version::default(),
        created: None,
        parents: vec![ServiceParent::new(service("shop"), None)],
        hostnames: Vec::new(),
        rules,
    };
    let endpoint = backend.address();
    Lab::start_with(
        &[],
        AppProtocol::Detect,
        |_| {},
        |contents, _| {
            add_service(contents, "v1", (80, protocol), &[endpoint]);
            add_route(contents, route);
            change(contents);
        },
    )
}

/// Whether nobody came, and what came is nothing.
async fn heard_nothing(backend: &Backend) {
    let probe = TcpStream::connect(backend.address()).await.unwrap();
    let first = backend.accept().await;
    assert_eq!(first.peer_addr().unwrap(), probe.local_addr().unwrap(), "somebody came before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_passes_both_ways_and_each_side_ends_on_its_own() {
    let backend = Backend::bind().await;
    let lab = lab(&backend, AppProtocol::Http, vec![connects()]);
    let mut client = lab.connect().await;
    client.write_all(ASK).await.unwrap();
    let mut upstream = backend.accept().await;
    let asked = read_until(&mut upstream, "\r\n\r\n").await;
    assert!(asked.starts_with("CONNECT db.test:5432 HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("\r\nhost: db.test:5432\r\n"), "{asked}");
    for framing in ["content-length", "transfer-encoding"] {
        assert!(!asked.contains(framing), "{asked}");
    }
    // The server may speak first, together with its answer.
    upstream.write_all(&[GRANT, b"hello"].concat()).await.unwrap();
    let granted = read_until(&mut client, "hello").await;
    assert!(granted.starts_with("HTTP/1.1 200 "), "{granted}");
    for field in ["content-length", "transfer-encoding", "connection"] {
        assert!(!granted.contains(&format!("\r\n{field}:")), "{granted}");
    }
    client.write_all(b"ping").await.unwrap();
    read_until(&mut upstream, "ping").await;
    client.shutdown().await.unwrap();
    assert_eq!(read_to_end(&mut upstream).await, "");
    upstream.write_all(b"last").await.unwrap();
    drop(upstream);
    assert_eq!(read_to_end(&mut client).await, "last");
    let line = lab.line(1).await;
    assert_eq!((&line["method"], &line["response_code"]), (&"CONNECT".into(), &200.into()));
    assert_eq!((&line["path"], &line["response_flags"]), (&"-".into(), &"-".into()));
    assert_eq!((&line["bytes_received"], &line["bytes_sent"]), (&4.into(), &9.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_behind_the_head_is_forwarded_only_once_a_tunnel_is_there() {
    let backend = Backend::bind().await;
    let lab = lab(&backend, AppProtocol::Http, vec![connects()]);
    let mut client = lab.connect().await;
    let smuggled = b"GET /secret HTTP/1.1\r\nhost: shop\r\n\r\n";
    client.write_all(&[ASK, smuggled].concat()).await.unwrap();
    let mut upstream = backend.accept().await;
    read_until(&mut upstream, "\r\n\r\n").await;
    // An answer of the endpoint that is not final, and none of a length that there is not.
    upstream.write_all(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n").await.unwrap();
    read_until(&mut client, "\r\n\r\n").await;
    assert_eq!(upstream.try_read(&mut [0; 64]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    upstream.write_all(b"HTTP/1.1 201 Made\r\ncontent-length: 3\r\n\r\n12345").await.unwrap();
    let granted = read_until(&mut client, "12345").await;
    assert!(granted.starts_with("HTTP/1.1 201 "), "{granted}");
    assert!(!granted.contains("content-length"), "{granted}");
    let first = read_until(&mut upstream, "\r\n\r\n").await;
    assert_eq!(first.as_bytes(), smuggled, "the bytes of a tunnel are no request");
    drop((client, upstream));
    assert_eq!(lab.line(1).await["method"], "CONNECT");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_says_no_is_heard_and_the_connection_ends() {
    let backend = Backend::bind().await;
    let lab = lab(&backend, AppProtocol::Http, vec![connects(), rule(None, PathMatch::default())]);
    let mut client = lab.connect().await;
    let smuggled = b"GET /secret HTTP/1.1\r\nhost: shop\r\n\r\n";
    client.write_all(&[ASK, smuggled].concat()).await.unwrap();
    let mut upstream = backend.accept().await;
    read_until(&mut upstream, "\r\n\r\n").await;
    let refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 2\r\n\r\nno";
    upstream.write_all(refusal).await.unwrap();
    let answer = read_to_end(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 407 "), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nno"), "{answer}");
    let line = lab.line(1).await;
    assert_eq!((&line["method"], &line["response_code"]), (&"CONNECT".into(), &407.into()));
    // What was meant for the tunnel was no request: the endpoint is asked nothing more.
    drop(lab);
    assert_eq!(read_to_end(&mut upstream).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn connect_is_refused_unless_a_match_names_it() {
    let exact = || rule(Some("CONNECT"), PathMatch::Exact("/".to_owned()));
    let prefix = || rule(Some("CONNECT"), PathMatch::Prefix("/a".to_owned()));
    let everything = || rule(None, PathMatch::default());
    for rules in [vec![everything()], vec![exact(), everything()], vec![prefix(), everything()]] {
        let backend = Backend::bind().await;
        let lab = lab(&backend, AppProtocol::Http, rules);
        let mut client = lab.connect().await;
        client.write_all(ASK).await.unwrap();
        let answer = read_to_end(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
        let line = lab.line(1).await;
        assert_eq!(line["response_code_details"], "connect_not_allowed");
        heard_nothing(&backend).await;
    }
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Http);
    let answer = lab.ask(&String::from_utf8_lossy(ASK)).await;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    heard_nothing(&backend).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_judge_a_connect_as_they_do_any_request() {
    let backend = Backend::bind().await;
    let lab = lab_with(&backend, AppProtocol::Http, vec![connects()], |contents| {
        deny(contents, "CONNECT");
    });
    let mut client = lab.connect().await;
    client.write_all(ASK).await.unwrap();
    let answer = read_to_end(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(lab.line(1).await["response_code_details"].as_str().unwrap().starts_with("rbac_"));
    heard_nothing(&backend).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_ends_when_a_policy_denies_it_meanwhile() {
    let backend = Backend::bind().await;
    let mut lab = lab(&backend, AppProtocol::Http, vec![connects()]);
    let mut client = lab.connect().await;
    client.write_all(ASK).await.unwrap();
    let mut upstream = backend.accept().await;
    read_until(&mut upstream, "\r\n\r\n").await;
    upstream.write_all(GRANT).await.unwrap();
    read_until(&mut client, "\r\n\r\n").await;
    lab.change(|contents| deny(contents, "CONNECT"));
    assert_eq!(read_to_end(&mut client).await, "");
    assert_eq!(read_to_end(&mut upstream).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connect_that_is_none_is_refused() {
    let backend = Backend::bind().await;
    let lab = lab(&backend, AppProtocol::Http, vec![connects(), rule(None, PathMatch::default())]);
    let cases = [
        ("CONNECT a HTTP/1.1\r\nhost: a\r\n\r\n", "400"),
        ("CONNECT a:0 HTTP/1.1\r\nhost: a:0\r\n\r\n", "400"),
        ("CONNECT u@a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n", "400"),
        ("CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\ncontent-length: 1\r\n\r\nx", "400"),
        (
            "CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "400",
        ),
        ("CONNECT / HTTP/1.1\r\nhost: a:80\r\n\r\n", "405"),
        ("CONNECT http://a:80/ HTTP/1.1\r\nhost: a:80\r\n\r\n", "405"),
        ("CONNECT a:80 HTTP/1.0\r\n\r\n", "405"),
    ];
    for (request, status) in cases {
        let answer = lab.ask(request).await;
        assert_eq!(answer.split(' ').nth(1), Some(status), "{request:?}: {answer}");
    }
    heard_nothing(&backend).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rewritten_host_is_what_the_endpoint_is_asked_for() {
    let backend = Backend::bind().await;
    let rewrite = Rewrite { hostname: Some("other.test".to_owned()), path: None };
    let rule = HttpRule { filters: vec![HttpFilter::Rewrite(rewrite)], ..connects() };
    let lab = lab(&backend, AppProtocol::Http, vec![rule]);
    let mut client = lab.connect().await;
    client.write_all(ASK).await.unwrap();
    let asked = read_until(&mut backend.accept().await, "\r\n\r\n").await;
    assert!(asked.starts_with("CONNECT other.test:5432 HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("\r\nhost: other.test:5432\r\n"), "{asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_over_http_2_reaches_an_endpoint_of_http_1() {
    let backend = Backend::bind().await;
    let lab = lab(&backend, AppProtocol::Http, vec![connects()]);
    let (mut sender, connection) = client::handshake(lab.connect().await).await.unwrap();
    task::spawn("http2 client", connection);
    let (answer, mut sending) = sender.send_request(question(), false).unwrap();
    sending.send_data(Bytes::from_static(b"early"), false).unwrap();
    let mut upstream = backend.accept().await;
    let asked = read_until(&mut upstream, "\r\n\r\n").await;
    assert!(asked.starts_with("CONNECT db.test:5432 HTTP/1.1\r\n"), "{asked}");
    upstream.write_all(&[GRANT, b"hello"].concat()).await.unwrap();
    let answer = timeout(PATIENCE, answer).await.unwrap().unwrap();
    assert_eq!(answer.status(), 200);
    let mut coming = answer.into_body();
    assert_eq!(timeout(PATIENCE, coming.data()).await.unwrap().unwrap().unwrap(), "hello");
    read_until(&mut upstream, "early").await;
    sending.send_data(Bytes::new(), true).unwrap();
    assert_eq!(read_to_end(&mut upstream).await, "");
    drop(upstream);
    while let Some(rest) = timeout(PATIENCE, coming.data()).await.unwrap() {
        assert_eq!(rest.unwrap(), "");
    }
    let line = lab.line(1).await;
    assert_eq!((&line["method"], &line["protocol"]), (&"CONNECT".into(), &"HTTP/2".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_over_http_1_reaches_an_endpoint_of_http_2_that_may_say_no() {
    let backend = Backend::bind().await;
    let lab = lab(&backend, AppProtocol::Http2, vec![connects()]);
    let mut client = lab.connect().await;
    client.write_all(ASK).await.unwrap();
    let mut connection = server::handshake(backend.accept().await).await.unwrap();
    let (request, mut respond) =
        timeout(PATIENCE, connection.accept()).await.unwrap().unwrap().unwrap();
    let mut more = Vec::new();
    assert_eq!(request.method(), Method::CONNECT);
    assert_eq!(request.uri().to_string(), "db.test:5432");
    let mut sending = respond.send_response(Response::new(()), false).unwrap();
    let driving = async {
        while let Some(Ok(next)) = connection.accept().await {
            more.push(next);
            let refusal = Response::builder().status(403).body(()).unwrap();
            let mut sending = more.last_mut().unwrap().1.send_response(refusal, false).unwrap();
            sending.send_data(Bytes::from_static(b"no"), true).unwrap();
        }
    };
    let talking = async {
        let head = read_until(&mut client, "\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        client.write_all(b"ping").await.unwrap();
        let mut coming = request.into_body();
        assert_eq!(timeout(PATIENCE, coming.data()).await.unwrap().unwrap().unwrap(), "ping");
        sending.send_data(Bytes::from_static(b"pong"), true).unwrap();
        assert_eq!(read_until(&mut client, "pong").await, "pong");
        drop(client);
        let answer = lab.ask(&String::from_utf8_lossy(ASK)).await;
        assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("\r\nno\r\n"), "{answer}");
    };
    tokio::select! {
        () = driving => panic!("the connection ended"),
        () = talking => {}
    }
}

/// A CONNECT of HTTP/2.
fn question() -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = Method::CONNECT;
    *request.uri_mut() = "db.test:5432".parse().unwrap();
    request
}
