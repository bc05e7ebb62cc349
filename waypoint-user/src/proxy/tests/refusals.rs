//! Answers of our own.

use tokio::io::AsyncWriteExt;

use super::lab::{Backend, Lab, Nobody, add_policy, read_to_end, read_until};
use crate::mesh::{
    object::ObjectName,
    pattern::StringMatch,
    policy::{Action, AnyNone, AuthorizationPolicy, Operation, PolicyRule, PolicyTarget},
    service::AppProtocol,
    snapshot::Contents,
};

/// Denies a method to everybody.
pub(super) fn deny(contents: &mut Contents, method: &str) {
    let methods = AnyNone { any: vec![StringMatch::parse(method)], none: Vec::new() };
    let to = vec![Operation { methods, ..Operation::default() }];
    add_policy(
        contents,
        AuthorizationPolicy {
            name: ObjectName::new("default", "no-delete"),
            action: Action::Deny,
            targets: vec![PolicyTarget::Service(ObjectName::new("default", "shop"))],
            rules: vec![PolicyRule { to, ..PolicyRule::default() }],
            dry_run: false,
        },
    );
}

#[tokio::test]
async fn what_policies_deny_is_403() {
    let backend = Backend::bind().await;
    let lab = Lab::start_with(
        &[backend.address()],
        AppProtocol::Detect,
        |_| {},
        |contents, _| {
            deny(contents, "DELETE");
        },
    );
    backend.echo("one");
    let answer = lab.ask("DELETE / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{answer}");
    assert!(answer.contains("server: waypoint\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nRBAC: access denied"), "{answer}");
    let line = lab.line(1).await;
    let details = "rbac_access_denied_matched_policy[ns[default]-policy[no-delete]-rule[0]]";
    assert_eq!(line["response_code_details"], details);
    assert_eq!((&line["response_flags"], &line["blame"]), (&"-".into(), &"client".into()));
    let labels = ["istio_requests_total{", "response_code=\"403\"", "source_app=\"web\""];
    assert!((lab.metric(&labels).await - 1.0).abs() < f64::EPSILON);
    let answer = lab.ask("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn grpc_clients_are_refused_in_trailers() {
    let backend = Backend::bind().await;
    let lab = Lab::start_with(
        &[backend.address()],
        AppProtocol::Detect,
        |_| {},
        |contents, _| {
            deny(contents, "POST");
        },
    );
    let request = "POST /a.B/C HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc+proto\r\n\
                   connection: close\r\ncontent-length: 0\r\n\r\n";
    let answer = lab.ask(request).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("grpc-status: 7\r\n"), "{answer}");
    assert!(answer.contains("grpc-message: RBAC: access denied\r\n"), "{answer}");
    let labels = ["istio_requests_total{", "grpc_response_status=\"7\"", "=\"grpc\""];
    assert!((lab.metric(&labels).await - 1.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn no_endpoint_is_503_uh() {
    let lab = Lab::start(&[], AppProtocol::Detect);
    let answer = lab.ask("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.ends_with("\r\n\r\nno healthy upstream"), "{answer}");
    let line = lab.line(1).await;
    assert_eq!(line["response_flags"], "UH");
    assert_eq!(line["response_code_details"], "no_healthy_upstream");
}

#[tokio::test]
async fn an_endpoint_that_refuses_is_503_uf_and_others_are_tried_first() {
    let gone = Nobody::bind();
    let lab = Lab::start(&[gone.address()], AppProtocol::Detect);
    let answer = lab.ask("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    let body = "upstream connect error or disconnect/reset before headers. reset reason: remote \
                connection failure, transport failure reason: delayed connect error: Connection \
                refused";
    assert!(answer.ends_with(body), "{answer}");
    let line = lab.line(1).await;
    assert_eq!(line["response_flags"], "UF");
    let reason = "delayed connect error: Connection refused";
    assert_eq!(line["upstream_transport_failure_reason"], reason);

    let backend = Backend::bind().await;
    let lab = Lab::start(&[gone.address(), backend.address()], AppProtocol::Detect);
    backend.echo("two");
    for _ in 0..20 {
        let answer = lab.ask("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn an_endpoint_that_closes_without_an_answer_is_503_uc() {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Detect);
    let mut client = lab.connect().await;
    let request = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    client.write_all(request).await.unwrap();
    let mut upstream = backend.accept().await;
    read_until(&mut upstream, "\r\n\r\n").await;
    drop(upstream);
    let answer = read_to_end(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.ends_with("reset reason: connection termination"), "{answer}");
    assert_eq!(lab.line(1).await["response_flags"], "UC");
}

#[tokio::test]
async fn malformed_requests_are_refused_before_an_endpoint_hears_of_them() {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Http);
    let cases = [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a@b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost : a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\nx: \0\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
        ("CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\nconnection: close\r\n\r\n", 405),
    ];
    for (number, (request, status)) in cases.into_iter().enumerate() {
        let mut client = lab.connect().await;
        client.write_all(request.as_bytes()).await.unwrap();
        let answer = read_to_end(&mut client).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {answer}");
        let line = lab.line(number + 1).await;
        assert_eq!(line["response_code"], status, "{request:?}: {line:#}");
        assert_eq!(line["response_flags"], "DPE", "{request:?}: {line:#}");
    }
    let mut client = lab.connect().await;
    let request = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(100_000));
    client.write_all(request.as_bytes()).await.unwrap();
    let answer = read_to_end(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
}

#[tokio::test]
async fn an_address_that_nobody_has_is_reset_and_told() {
    let lab = Lab::start_with(
        &[],
        AppProtocol::Detect,
        |_| {},
        |contents, _| {
            contents.services.clear();
        },
    );
    lab.connect_in_vain().await;
    let line = lab.line(1).await;
    assert_eq!(line["response_flags"], "NR");
    assert_eq!(line["response_code_details"], "filter_chain_not_found");
    assert_eq!(line["downstream_local_address"], lab.address.to_string());
}

#[tokio::test]
async fn a_stream_under_way_ends_when_policies_come_to_deny_it() {
    let backend = Backend::bind().await;
    let mut lab = Lab::start(&[backend.address()], AppProtocol::Detect);
    let mut client = lab.connect().await;
    client.write_all(b"GET /events HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut upstream = backend.accept().await;
    read_until(&mut upstream, "\r\n\r\n").await;
    let begin = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n";
    upstream.write_all(begin).await.unwrap();
    read_until(&mut client, "abc\r\n").await;
    lab.change(|contents| deny(contents, "DELETE"));
    upstream.write_all(b"3\r\ndef\r\n").await.unwrap();
    read_until(&mut client, "def\r\n").await;
    lab.change(|contents| deny(contents, "GET"));
    assert_eq!(read_to_end(&mut client).await, "");
    assert_eq!(read_to_end(&mut upstream).await, "");
    let details = lab.line(1).await["response_code_details"].clone();
    assert!(details.as_str().unwrap().starts_with("rbac_access_denied"), "{details}");
}
