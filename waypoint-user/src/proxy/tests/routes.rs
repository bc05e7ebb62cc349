//! HTTPRoutes before the Service.

use std::collections::BTreeMap;

use http_body_util::{BodyExt, Full};
use tokio::io::AsyncWriteExt;

use super::lab::{Backend, Lab, add_route, add_service, read_until};
use crate::mesh::{
    object::{ObjectName, Version},
    route::{
        BackendTarget, HeaderEdit, HttpBackend, HttpFilter, HttpMatch, HttpRoute, HttpRule,
        PathEdit, PathMatch, Redirect, Rewrite, ServiceParent, ValueMatch, ValuePattern,
    },
    service::AppProtocol,
    snapshot::Contents,
};

fn backend(service: &str, weight: u32) -> HttpBackend {
    let target = BackendTarget::Service(ObjectName::new("default", service), 80);
    HttpBackend { weight, target, filters: Vec::new() }
}

fn path(prefix: &str) -> HttpMatch {
    HttpMatch { path: PathMatch::Prefix(prefix.to_owned()), ..HttpMatch::default() }
}

/// A rule of the name, with a prefix, filters and backends.
fn rule(prefix: &str, filters: Vec<HttpFilter>, backends: Vec<HttpBackend>) -> HttpRule {
    let name = Some(format!("rule {prefix}"));
    HttpRule { name, matches: vec![path(prefix)], filters, backends, ..HttpRule::default() }
}

/// An engine whose Service has the rules, before `v1` and `v2`.
async fn lab(rules: Vec<HttpRule>) -> Lab {
    let (first, second) = (Backend::bind().await, Backend::bind().await);
    let addresses = [first.address(), second.address()];
    first.echo("v1");
    second.echo("v2");
    let parent = ServiceParent::new(ObjectName::new("default", "shop"), None);
    let name = ObjectName::new("default", "shop");
    let route = HttpRoute {
        kind: crate::mesh::route::RouteKind::Http,
        name,
        version: Version::default(),
        created: None,
        parents: vec![parent],
        hostnames: Vec::new(),
        rules,
    };
    let change = move |contents: &mut Contents, _| {
        add_service(contents, "v1", (80, AppProtocol::Detect), &addresses[..1]);
        add_service(contents, "v2", (80, AppProtocol::Detect), &addresses[1..]);
        add_route(contents, route);
    };
    Lab::start_with(&[], AppProtocol::Detect, |_| {}, change)
}

fn get(path: &str, fields: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: shop\r\n{fields}connection: close\r\n\r\n")
}

#[tokio::test]
async fn weights_split_requests_and_a_header_picks_one() {
    let jason = HttpMatch {
        headers: vec![ValueMatch {
            name: "end-user".to_owned(),
            value: ValuePattern::Exact("jason".to_owned()),
        }],
        ..HttpMatch::default()
    };
    let for_jason =
        HttpRule { matches: vec![jason], backends: vec![backend("v2", 1)], ..HttpRule::default() };
    let split = rule("/", Vec::new(), vec![backend("v1", 90), backend("v2", 10)]);
    let lab = lab(vec![split, for_jason]).await;
    let mut client = lab.connect().await;
    let mut counts = BTreeMap::new();
    for _ in 0..400 {
        client.write_all(b"GET / HTTP/1.1\r\nhost: shop\r\n\r\n").await.unwrap();
        let answer = read_until(&mut client, "x-request-id").await;
        read_until(&mut client, "\r\n\r\n").await;
        let version = if answer.contains("\r\n\r\nv1\n") { "v1" } else { "v2" };
        *counts.entry(version).or_insert(0) += 1;
    }
    assert!((1..120).contains(&counts["v2"]), "{counts:?}");
    for _ in 0..10 {
        let answer = lab.ask(&get("/", "end-user: jason\r\n")).await;
        assert!(answer.contains("\r\n\r\nv2\n"), "{answer}");
    }
    let labels = ["istio_requests_total{", "destination_service_name=\"v2\"", "_app=\"v2-0\""];
    assert!(lab.metric(&labels).await >= 11.0);
}

#[tokio::test]
async fn redirects_are_answered_here_and_told_by_rule() {
    let redirect = Redirect {
        scheme: None,
        hostname: Some("elsewhere".to_owned()),
        path: Some(PathEdit::Prefix("/new".to_owned())),
        port: None,
        status: 301,
    };
    let lab = lab(vec![rule("/old", vec![HttpFilter::Redirect(redirect)], Vec::new())]).await;
    let answer = lab.ask(&get("/old/page?q=1", "")).await;
    assert!(answer.starts_with("HTTP/1.1 301 Moved Permanently\r\n"), "{answer}");
    let location = answer.lines().find_map(|line| line.strip_prefix("location: ")).unwrap();
    assert!(location.starts_with("http://elsewhere"), "{location}");
    assert!(location.ends_with("/new/page?q=1"), "{location}");
    let line = lab.line(1).await;
    assert_eq!(line["route_name"], "rule /old");
    assert_eq!(line["response_code"], 301);
    assert_eq!(line["response_flags"], "-");
}

#[tokio::test]
async fn a_redirect_has_the_status_that_its_rule_names() {
    let cases = [
        (301, "Moved Permanently"),
        (302, "Found"),
        (303, "See Other"),
        (307, "Temporary Redirect"),
        (308, "Permanent Redirect"),
    ];
    let rules = cases.map(|(status, _)| {
        let path = Some(PathEdit::Full(format!("/by-{status}")));
        let hostname = Some("elsewhere".to_owned());
        let redirect = Redirect { scheme: None, hostname, path, port: Some(80), status };
        rule(&format!("/{status}"), vec![HttpFilter::Redirect(redirect)], Vec::new())
    });
    let lab = lab(rules.to_vec()).await;
    let mut client = lab.connect().await;
    for (number, (status, reason)) in cases.into_iter().enumerate() {
        // The body of a request that is redirected is passed over.
        let request = format!(
            "POST /{status}/x?q=1 HTTP/1.1\r\nhost: shop\r\ncontent-length: 5\r\n\r\nhello"
        );
        client.write_all(request.as_bytes()).await.unwrap();
        let answer = read_until(&mut client, "\r\n\r\n").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} {reason}\r\n")), "{answer}");
        let location = format!("\r\nlocation: http://elsewhere/by-{status}?q=1\r\n");
        assert!(answer.contains(&location), "{answer}");
        assert!(answer.contains("\r\ncontent-length: 0\r\n"), "{answer}");
        let line = lab.line(number + 1).await;
        assert_eq!(
            (&line["response_code"], &line["response_flags"]),
            (&status.into(), &"-".into())
        );
    }
}

#[tokio::test]
async fn rewrites_and_header_edits_reach_the_endpoint_and_the_client() {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let rewrite = Rewrite {
        hostname: Some("inner".to_owned()),
        path: Some(PathEdit::Prefix("/v1".to_owned())),
    };
    let request = HeaderEdit {
        set: vec![pair("x-set", "1")],
        add: vec![pair("content-length", "999")],
        remove: vec!["x-gone".to_owned()],
    };
    let response = HeaderEdit { add: vec![pair("x-answer", "2")], ..HeaderEdit::default() };
    let filters = vec![
        HttpFilter::Rewrite(rewrite),
        HttpFilter::RequestHeaders(request),
        HttpFilter::ResponseHeaders(response),
    ];
    let lab = lab(vec![rule("/api", filters, vec![backend("v1", 1)])]).await;
    let answer = lab.ask(&get("/api/items?q=1", "x-gone: 1\r\nx-set: 0\r\n")).await;
    assert!(answer.contains("\r\nx-answer: 2\r\n"), "{answer}");
    assert!(answer.contains("v1\nGET /v1/items?q=1 HTTP/1.1\r\n"), "{answer}");
    assert!(answer.contains("host: inner\r\n") && answer.contains("x-set: 1\r\n"), "{answer}");
    assert!(!answer.contains("x-gone") && !answer.contains(": 999\r\n"), "{answer}");
    let line = lab.line(1).await;
    assert_eq!((&line["path"], &line["authority"]), (&"/api/items?q=1".into(), &"shop".into()));
}

#[tokio::test]
async fn what_no_rule_matches_is_404_and_what_has_no_backend_500() {
    let lost = HttpBackend {
        weight: 1,
        target: BackendTarget::Invalid("no such Service".to_owned()),
        filters: Vec::new(),
    };
    let rules = vec![
        rule("/lost", Vec::new(), vec![lost]),
        rule("/gone", Vec::new(), vec![backend("v3", 1)]),
    ];
    let lab = lab(rules).await;
    for (number, (path, status, flag, name)) in [
        ("/nothing", 404, "NR", "-"),
        ("/lost", 500, "NC", "rule /lost"),
        ("/gone", 500, "NC", "rule /gone"),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = lab.ask(&get(path, "")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
        let line = lab.line(number + 1).await;
        assert_eq!(line["response_flags"], flag, "{line:#}");
        assert_eq!(line["route_name"], name, "{line:#}");
    }
}

#[tokio::test]
async fn the_share_of_an_invalid_backend_is_unavailable_for_calls_of_grpc() {
    let lost = HttpBackend {
        target: BackendTarget::Invalid("no such Service".to_owned()),
        ..backend("v1", 1)
    };
    let lab = lab(vec![rule("/", Vec::new(), vec![backend("v1", 1), lost])]).await;
    let call = "POST /a.B/C HTTP/1.1\r\nhost: shop\r\ncontent-type: application/grpc\r\n\
                content-length: 0\r\nconnection: close\r\n\r\n";
    let mut unavailable = 0;
    for number in 1..=100 {
        let answer = lab.ask(call).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        let line = lab.line(number).await;
        if line["response_flags"] == "NC" {
            assert!(answer.contains("\r\ngrpc-status: 14\r\n"), "{answer}");
            assert!(answer.contains("\r\ncontent-type: application/grpc\r\n"), "{answer}");
            assert!(answer.ends_with("\r\n\r\n"), "{answer}");
            unavailable += 1;
        } else {
            assert!(answer.contains("\r\n\r\nv1\n"), "{answer}");
        }
    }
    assert!((20..=80).contains(&unavailable), "{unavailable}");
    let labels = ["istio_requests_total{", "grpc_response_status=\"14\"", "_flags=\"NC\""];
    assert!((lab.metric(&labels).await - f64::from(unavailable)).abs() < f64::EPSILON);
    // So it is by HTTP/2, where a status is the head of an answer without a body.
    let mut client = super::http2::client(&lab).await;
    let mut statuses = Vec::new();
    for _ in 0..40 {
        let request = http::Request::post(format!("http://{}/a.B/C", lab.address));
        let request = request.header("content-type", "application/grpc");
        let request = request.body(Full::default().boxed()).unwrap();
        let response = client.send_request(request).await.unwrap();
        statuses.extend(response.headers().get("grpc-status").cloned());
    }
    assert!(!statuses.is_empty() && statuses.iter().all(|status| status == "14"), "{statuses:?}");
}

#[tokio::test]
async fn the_next_request_sees_a_route_that_was_changed() {
    let mut lab = lab(vec![rule("/", Vec::new(), vec![backend("v1", 1)])]).await;
    let mut client = lab.connect().await;
    for version in ["v1", "v2", "v1", "v2"] {
        lab.change(|contents| {
            let route = contents.routes.values_mut().next().unwrap();
            let rules = vec![rule("/", Vec::new(), vec![backend(version, 1)])];
            *route = std::sync::Arc::new(HttpRoute { rules, ..HttpRoute::clone(route) });
        });
        client.write_all(b"GET / HTTP/1.1\r\nhost: shop\r\n\r\n").await.unwrap();
        let answer = read_until(&mut client, "x-request-id").await;
        read_until(&mut client, "\r\n\r\n").await;
        assert!(answer.contains(&format!("\r\n\r\n{version}\n")), "{answer}");
    }
}
