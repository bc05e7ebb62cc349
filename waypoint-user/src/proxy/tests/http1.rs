//! HTTP/1 both ways.

use tokio::io::AsyncWriteExt;

use super::lab::{Backend, Lab, read_to_end, read_until};
use crate::mesh::service::AppProtocol;

#[tokio::test]
async fn a_request_goes_through_without_what_is_not_for_the_endpoint() {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Detect);
    backend.echo("one");
    let answer = lab
        .ask(
            "GET /a/../b%41?q=1 HTTP/1.1\r\nhost: shop\r\nuser-agent: test\r\n\
             x-forwarded-for: 9.9.9.9\r\nx-forwarded-client-cert: forged\r\n\
             X-Waypoint-Anything: forged\r\nconnection: close, x-hop\r\nx-hop: 1\r\n\
             keep-alive: timeout=5\r\nte: trailers\r\n\r\n",
        )
        .await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("x-envoy-upstream-service-time: "), "{answer}");
    assert!(answer.contains("\r\n\r\none\nGET /bA?q=1 HTTP/1.1\r\n"), "{answer}");
    for part in [
        "host: shop\r\n",
        "x-forwarded-for: 9.9.9.9,127.0.0.1\r\n",
        "x-forwarded-proto: http\r\n",
        "x-forwarded-client-cert: URI=spiffe://cluster.local/ns/default/sa/web\r\n",
        "te: trailers\r\n",
    ] {
        assert!(answer.contains(part), "no {part:?} in {answer}");
    }
    for part in ["forged", "x-hop", "keep-alive", "x-waypoint-anything"] {
        assert!(!answer.contains(part), "{part:?} in {answer}");
    }
}

#[tokio::test]
async fn a_request_is_told_in_the_log_and_the_metrics() {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Detect);
    let upstream = backend.address();
    backend.echo("one");
    let request = "GET /a/../b?q=1 HTTP/1.1\r\nhost: shop\r\nuser-agent: test\r\n\
                   x-forwarded-for: 9.9.9.9\r\nconnection: close\r\n\r\n";
    let answer = lab.ask(request).await;
    let line = lab.line(1).await;
    let sent_id = answer.split("x-request-id: ").nth(1).unwrap().split("\r\n").next().unwrap();
    assert_eq!(sent_id.len(), 36);
    for (field, value) in [
        ("method", "GET"),
        ("path", "/a/../b?q=1"),
        ("protocol", "HTTP/1.1"),
        ("response_flags", "-"),
        ("response_code_details", "via_upstream"),
        ("user_agent", "test"),
        ("authority", "shop"),
        ("request_id", sent_id),
        ("route_name", "default"),
        ("x_forwarded_for", "9.9.9.9,127.0.0.1"),
        ("source_workload", "default/web"),
        ("destination_service", "default/shop"),
        ("destination_workload", "default/shop-0"),
        ("waypoint", "default/waypoint"),
        ("blame", "-"),
        ("upstream_host", &upstream.to_string()),
        ("downstream_local_address", &lab.address.to_string()),
    ] {
        assert_eq!(line[field], value, "{field} in {line:#}");
    }
    assert_eq!(line["response_code"], 200);
    assert_eq!(line["bytes_sent"], answer.split("\r\n\r\none").nth(1).unwrap().len() + 3);
    let cluster = format!("inbound-vip|{}|http|shop.default.svc.cluster.local", lab.address.port());
    assert_eq!(line["upstream_cluster"], cluster);

    let labels = [
        "istio_requests_total{",
        "reporter=\"waypoint\"",
        "source_workload=\"web\"",
        "source_principal=\"spiffe://cluster.local/ns/default/sa/web\"",
        "destination_workload=\"shop-0\"",
        "destination_service=\"shop.default.svc.cluster.local\"",
        "destination_service_name=\"shop\"",
        "request_protocol=\"http\"",
        "response_code=\"200\"",
        "response_flags=\"-\"",
    ];
    assert!((lab.metric(&labels).await - 1.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn connections_are_kept_on_both_sides() {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Detect);
    let mut client = lab.connect().await;
    client.write_all(b"GET /1 HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut upstream = backend.accept().await;
    for number in 1..=3 {
        let head = read_until(&mut upstream, "\r\n\r\n").await;
        assert!(head.starts_with(&format!("GET /{number} ")), "{head}");
        upstream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        read_until(&mut client, "\r\n\r\nok").await;
        let next = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", number + 1);
        client.write_all(next.as_bytes()).await.unwrap();
    }
    // Another client gets the kept connection as well.
    read_until(&mut upstream, "\r\n\r\n").await;
    upstream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
    read_until(&mut client, "\r\n\r\nok").await;
    let mut other = lab.connect().await;
    other.write_all(b"GET /other HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    assert!(read_until(&mut upstream, "\r\n\r\n").await.starts_with("GET /other "));
}

#[tokio::test]
async fn chunks_and_trailers_pass_both_ways() {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Detect);
    let mut client = lab.connect().await;
    let head = "POST / HTTP/1.1\r\nhost: a\r\nte: trailers\r\ntrailer: x-sum\r\n\
                transfer-encoding: chunked\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    client.write_all(b"3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n").await.unwrap();
    let mut upstream = backend.accept().await;
    let request = read_until(&mut upstream, "0\r\nx-sum: 1\r\n\r\n").await;
    assert!(request.contains("transfer-encoding: chunked\r\n"), "{request}");
    assert!(request.contains("\r\n\r\n3\r\nabc\r\n"), "{request}");
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-end\r\n\r\n";
    upstream.write_all(head.as_bytes()).await.unwrap();
    upstream.write_all(b"2\r\nde\r\n0\r\nx-end: 2\r\n\r\n").await.unwrap();
    let response = read_until(&mut client, "0\r\nx-end: 2\r\n\r\n").await;
    assert!(response.contains("\r\n\r\n2\r\nde\r\n"), "{response}");
    let line = lab.line(1).await;
    assert_eq!((&line["bytes_received"], &line["bytes_sent"]), (&3.into(), &2.into()));
}

#[tokio::test]
async fn answers_without_bodies_end_where_they_must() {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Detect);
    let mut client = lab.connect().await;
    let mut upstream = None;
    for (method, sent, expected) in [
        ("HEAD", "200 OK\r\ncontent-length: 10\r\n\r\n", "content-length: 10\r\n"),
        ("HEAD", "200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "200 OK\r\n"),
        ("GET", "204 No Content\r\n\r\n", "204 No Content\r\n"),
        ("GET", "304 Not Modified\r\ncontent-length: 10\r\n\r\n", "304 Not Modified\r\n"),
        ("GET", "200 OK\r\ncontent-length: 0\r\n\r\n", "content-length: 0\r\n"),
    ] {
        let request = format!("{method} / HTTP/1.1\r\nhost: a\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        if upstream.is_none() {
            upstream = Some(backend.accept().await);
        }
        let stream = upstream.as_mut().unwrap();
        assert!(read_until(stream, "\r\n\r\n").await.starts_with(method));
        stream.write_all(format!("HTTP/1.1 {sent}").as_bytes()).await.unwrap();
        let answer = read_until(&mut client, "\r\n\r\n").await;
        assert!(answer.contains(expected), "{method} {sent}: {answer}");
        if sent.starts_with("204") {
            assert!(!answer.contains("content-length"), "{answer}");
        }
    }
    let line = lab.line(5).await;
    assert_eq!(line["response_flags"], "-");
}

#[tokio::test]
async fn http_1_0_is_understood() {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Detect);
    let mut client = lab.connect().await;
    client.write_all(b"GET /old HTTP/1.0\r\n\r\n").await.unwrap();
    let mut upstream = backend.accept().await;
    let head = read_until(&mut upstream, "\r\n\r\n").await;
    assert!(head.starts_with("GET /old HTTP/1.1\r\n"), "{head}");
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    upstream.write_all(chunked).await.unwrap();
    let answer = read_to_end(&mut client).await;
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
    assert_eq!(lab.line(1).await["protocol"], "HTTP/1.0");
}

#[tokio::test]
async fn a_kept_connection_that_died_is_replaced_without_the_client_noticing() {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Detect);
    let mut client = lab.connect().await;
    for _ in 0..5 {
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let mut upstream = backend.accept().await;
        read_until(&mut upstream, "\r\n\r\n").await;
        upstream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        read_until(&mut client, "\r\n\r\nok").await;
    }
}

#[tokio::test]
async fn an_endpoint_that_dies_within_its_response_cuts_the_client_off() {
    for head in ["content-length: 10", "transfer-encoding: chunked"] {
        let backend = Backend::bind().await;
        let lab = Lab::start(&[backend.address()], AppProtocol::Detect);
        let mut client = lab.connect().await;
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let mut upstream = backend.accept().await;
        read_until(&mut upstream, "\r\n\r\n").await;
        let begin = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n3\r\nabc\r\n");
        upstream.write_all(begin.as_bytes()).await.unwrap();
        read_until(&mut client, "abc\r\n").await;
        drop(upstream);
        let rest = read_to_end(&mut client).await;
        assert!(!rest.contains("0\r\n\r\n"), "a clean end: {rest:?}");
        let line = lab.line(1).await;
        assert_eq!(line["response_flags"], "UC");
        assert_eq!(line["blame"], "backend");
    }
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_request_along() {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Detect);
    let mut client = lab.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut upstream = backend.accept().await;
    read_until(&mut upstream, "\r\n\r\n").await;
    drop(client);
    assert_eq!(read_to_end(&mut upstream).await, "");
    let line = lab.line(1).await;
    assert_eq!((&line["response_flags"], &line["response_code"]), (&"DC".into(), &0.into()));
}
