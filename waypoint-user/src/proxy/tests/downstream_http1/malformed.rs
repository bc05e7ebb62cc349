//! What is no request, byte by byte. All of it begins well enough to be taken for HTTP.

use std::time::Duration;

use tokio::time::timeout;

use super::{GET, start};

/// Heads that are refused.
const HEADS: &[&str] = &[
    "GET / HTTP/1.1\nhost: a\n\n",
    "GET / HTTP/1.1\r\nhost: a\n\r\n",
    "GET / HTTP/1.1\r\nhost: a\rx: b\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: a\r\nx: b\r\n c\r\n\r\n",
    "GET / HTTP/1.1\r\nhost : a\r\n\r\n",
    "GET / HTTP/1.1\r\n host: a\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: a\r\nx: \0\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: a\r\nx\r\n\r\n",
    "GET / HTTP/2.0\r\nhost: a\r\n\r\n",
    "GET  / HTTP/1.1\r\nhost: a\r\n\r\n",
    "GET /#a HTTP/1.1\r\nhost: a\r\n\r\n",
    "GET a HTTP/1.1\r\nhost: a\r\n\r\n",
    "GET * HTTP/1.1\r\nhost: a\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n",
    "POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
];

/// What says in no way, or in more than one, where a body ends.
const FRAMINGS: &[&str] = &[
    "content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n",
    "content-length: 1\r\ncontent-length: 1\r\n\r\nx",
    "content-length: 1\r\ncontent-length: 2\r\n\r\nx",
    "content-length: 1, 1\r\n\r\nx",
    "content-length: +1\r\n\r\nx",
    "content-length: -1\r\n\r\nx",
    "content-length: 0x1\r\n\r\nx",
    "content-length: 1 1\r\n\r\nx",
    "content-length:\r\n\r\nx",
    "content-length: 99999999999999999999\r\n\r\nx",
    "transfer-encoding: gzip\r\n\r\nx",
    "transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "transfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "transfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
];

/// Chunks that are none.
const CHUNKS: &[&str] = &[
    "x\r\n",
    "-1\r\nx\r\n",
    "0x1\r\nx\r\n",
    "1\nx\r\n0\r\n\r\n",
    "1;a\rb\r\nx\r\n0\r\n\r\n",
    "1;\0\r\nx\r\n0\r\n\r\n",
    "\r\n1\r\nx\r\n0\r\n\r\n",
    "10000000000000000\r\nx\r\n",
];

/// All of it, as whole requests.
fn all() -> impl Iterator<Item = String> {
    let post = "POST / HTTP/1.1\r\nhost: a\r\n";
    let framings = FRAMINGS.iter().map(move |rest| format!("{post}{rest}"));
    let chunked = "transfer-encoding: chunked\r\n\r\n";
    let chunks = CHUNKS.iter().map(move |rest| format!("{post}{chunked}{rest}"));
    let long = format!("{post}{chunked}1;{}\r\nx\r\n0\r\n\r\n", "x".repeat(5000));
    HEADS.iter().map(ToString::to_string).chain(framings).chain(chunks).chain([long])
}

#[tokio::test]
async fn what_is_malformed_ends_the_connection_before_an_endpoint_hears_of_it() {
    let (lab, _, backend) = start().await;
    for (number, request) in all().enumerate() {
        // What is behind it must not be taken for a request.
        let answer = lab.ask(&format!("{request}{GET}")).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{request:?}: {answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{request:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{request:?}: {answer}");
        let line = lab.line(number + 1).await;
        assert_eq!(line["response_code"], 400, "{request:?}: {line:#}");
        assert_eq!(line["response_flags"], "DPE", "{request:?}: {line:#}");
    }
    // Connecting comes before the body is looked at; nothing is sent.
    while let Ok(accepted) = timeout(Duration::ZERO, backend.0.accept()).await {
        let (mut upstream, _) = accepted.unwrap();
        assert_eq!(super::read_to_end(&mut upstream).await, "");
    }
}

#[tokio::test]
async fn heads_that_are_too_long_are_431_and_counted() {
    let (lab, ..) = start().await;
    let long = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "x".repeat(70_000));
    let many = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(128));
    for (number, request) in [long, many].iter().enumerate() {
        let answer = lab.ask(request).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
        assert_eq!(lab.line(number + 1).await["response_code"], 431);
    }
    let hits = lab.metric(&["waypoint_limit_hits_total{", "limit=\"header_bytes\""]).await;
    assert!((hits - 2.0).abs() < f64::EPSILON, "{hits}");
}
