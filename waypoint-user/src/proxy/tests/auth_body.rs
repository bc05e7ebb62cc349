//! Somebody is shown bodies before they may pass.

use std::time::Duration;

use futures_util::future::select_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{
    auth::say_by_grpc,
    conduct::{lab, service},
    lab::{Backend, Lab, read_until},
};
use crate::{
    mesh::route::{AuthProtocol, Conduct, ExternalAuth, HttpFilter, HttpRule, Mirror, Retry},
    proxy::limits::{AUTH_BODIES_BYTES_MAX, AUTH_BODY_BYTES_MAX},
};

/// A rule whose requests `copy` is asked about, who is shown so many bytes.
fn shows_so_much(shows: usize, by: AuthProtocol) -> HttpRule {
    let auth = ExternalAuth { service: service("copy"), port: 80, told: Vec::new(), shows, by };
    HttpRule { filters: vec![HttpFilter::Auth(auth)], ..HttpRule::default() }
}

/// The same, with five bytes.
pub(super) fn shows(by: AuthProtocol) -> HttpRule {
    shows_so_much(5, by)
}

pub(super) fn by_http() -> AuthProtocol {
    AuthProtocol::Http { path: String::new(), gets: Vec::new() }
}

/// An engine, an endpoint, and an authority that is asked by HTTP.
pub(super) async fn start() -> (Lab, Backend, Backend) {
    let (backend, authority) = (Backend::bind().await, Backend::bind().await);
    let lab = lab(&[&backend], Some(&authority), shows(by_http()));
    (lab, backend, authority)
}

pub(super) const POST: &str = "POST /a HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n";
pub(super) const DONE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Takes a request with what ends it, and answers; returns the request.
pub(super) async fn serve(backend: &Backend, end: &str, answer: &str) -> String {
    let mut stream = backend.accept().await;
    let request = read_until(&mut stream, end).await;
    stream.write_all(answer.as_bytes()).await.unwrap();
    request
}

/// Whether nobody comes for a while.
pub(super) async fn is_left_alone(backend: &Backend) -> bool {
    timeout(Duration::from_millis(50), backend.accept()).await.is_err()
}

#[tokio::test]
async fn a_body_is_shown_and_goes_on_whole() {
    let (lab, backend, authority) = start().await;
    let request = format!("{POST}content-length: 5\r\n\r\nhello");
    let (answer, question, sent) = tokio::join!(
        lab.ask(&request),
        serve(&authority, "hello", DONE),
        serve(&backend, "hello", DONE)
    );
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(question.starts_with("POST /a HTTP/1.1\r\n"), "{question}");
    for message in [&question, &sent] {
        assert!(message.contains("\r\ncontent-length: 5\r\n"), "{message}");
        assert!(message.ends_with("\r\n\r\nhello"), "{message}");
    }
    assert!(question.contains("\r\nx-envoy-auth-partial-body: false\r\n"), "{question}");
    assert!(!sent.contains("x-envoy-auth"), "{sent}");
    assert_eq!(lab.line(1).await["bytes_received"], 5);
}

#[tokio::test]
async fn a_body_in_chunks_goes_on_with_its_trailers() {
    let (lab, backend, authority) = start().await;
    let chunks = "2\r\nhe\r\n3\r\nllo\r\n0\r\nx-sum: 7\r\n\r\n";
    let request = format!("{POST}transfer-encoding: chunked\r\n\r\n{chunks}");
    let (answer, question, sent) = tokio::join!(
        lab.ask(&request),
        serve(&authority, "hello", DONE),
        serve(&backend, "x-sum: 7\r\n\r\n", DONE)
    );
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(question.contains("\r\ncontent-length: 5\r\n"), "{question}");
    assert!(sent.contains("\r\ntransfer-encoding: chunked\r\n"), "{sent}");
    assert!(sent.ends_with("5\r\nhello\r\n0\r\nx-sum: 7\r\n\r\n"), "{sent}");
}

#[tokio::test]
async fn a_body_that_is_too_long_to_be_shown_is_refused() {
    let bodies = ["content-length: 6\r\n\r\nhello!", "content-length: 99999999999\r\n\r\n"];
    let chunks = "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n";
    for body in bodies.into_iter().chain([chunks]) {
        let (lab, backend, authority) = start().await;
        let answer = lab.ask(&format!("{POST}{body}")).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert_eq!(lab.line(1).await["response_code_details"], "request_payload_too_large");
        assert!(is_left_alone(&authority).await && is_left_alone(&backend).await, "{body}");
    }
}

#[tokio::test]
async fn who_asks_to_change_protocols_shows_the_body_as_well() {
    let (lab, backend, authority) = start().await;
    let post = POST.replace("close", "upgrade");
    let request = format!("{post}upgrade: other\r\ncontent-length: 6\r\n\r\nhello!");
    let mut client = lab.connect().await;
    client.write_all(request.as_bytes()).await.unwrap();
    let answer = read_until(&mut client, "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(is_left_alone(&authority).await && is_left_alone(&backend).await);
}

#[tokio::test]
async fn what_was_shown_and_refused_leaves_the_connection_open() {
    let (lab, backend, authority) = start().await;
    let mut client = lab.connect().await;
    let request = "POST /a HTTP/1.1\r\nhost: shop\r\ncontent-length: 5\r\n\r\nhello";
    let refusal = "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno";
    for number in 1..3 {
        client.write_all(request.as_bytes()).await.unwrap();
        let asks = serve(&authority, "hello", refusal);
        let (answer, _) = tokio::join!(read_until(&mut client, "\r\n\r\nno"), asks);
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        assert_eq!(lab.line(number).await["bytes_received"], 5);
    }
    assert!(is_left_alone(&backend).await);
}

#[tokio::test]
async fn of_a_body_that_breaks_off_nothing_is_shown() {
    let (lab, backend, authority) = start().await;
    let mut client = lab.connect().await;
    client.write_all(format!("{POST}content-length: 5\r\n\r\nhel").as_bytes()).await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(client.read(&mut [0]).await.unwrap_or_default(), 0);
    assert_eq!(lab.line(1).await["response_flags"], "DC");
    assert!(is_left_alone(&authority).await && is_left_alone(&backend).await);
}

#[tokio::test]
async fn what_was_shown_can_be_sent_again() {
    let (backend, authority) = (Backend::bind().await, Backend::bind().await);
    let retry = Retry { codes: vec![503], attempts: 1, backoff: None };
    let conduct = Conduct { retry: Some(retry), ..Conduct::default() };
    let lab = lab(&[&backend], Some(&authority), HttpRule { conduct, ..shows(by_http()) });
    let request = format!("{POST}content-length: 5\r\n\r\nhello");
    let endpoint = async {
        let busy = DONE.replace("200 OK", "503 Busy");
        [serve(&backend, "hello", &busy).await, serve(&backend, "hello", DONE).await]
    };
    let asks = serve(&authority, "hello", DONE);
    let (answer, _, sent) = tokio::join!(lab.ask(&request), asks, endpoint);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(sent[0], sent[1]);
}

#[tokio::test]
async fn what_was_shown_goes_to_mirrors_as_well() {
    let (backend, authority) = (Backend::bind().await, Backend::bind().await);
    let mut rule = shows(by_http());
    let mirror = Mirror { service: service("v1"), port: 80, share: 1, of: 1 };
    rule.filters.push(HttpFilter::Mirror(mirror));
    let lab = lab(&[&backend], Some(&authority), rule);
    let request = format!("{POST}content-length: 5\r\n\r\nhello");
    let endpoint =
        async { [serve(&backend, "hello", DONE).await, serve(&backend, "hello", DONE).await] };
    let asks = serve(&authority, "hello", DONE);
    let (answer, _, _) = tokio::join!(lab.ask(&request), asks, endpoint);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(lab.line(1).await["bytes_received"], 5);
}

/// What becomes of a body that an authority is shown by gRPC, who must be told all this.
async fn shown_by_grpc(body: &[u8], told: &'static [&'static [u8]]) -> String {
    let (backend, authority) = (Backend::bind().await, Backend::bind().await);
    let lab = lab(&[&backend], Some(&authority), shows(AuthProtocol::Grpc));
    say_by_grpc(authority, b"\x0a\x00", told);
    backend.echo("passed");
    let mut client: TcpStream = lab.connect().await;
    let head = format!("{POST}content-length: {}\r\n\r\n", body.len());
    client.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
    read_until(&mut client, "\r\n\r\n").await
}

#[tokio::test]
async fn an_authority_by_grpc_is_shown_text_as_text_and_bytes_as_bytes() {
    // size: 5, protocol: "HTTP/1.1", body: "hello"
    let text: &[&[u8]] = &[b"\x48\x05\x52\x08HTTP/1.1\x5a\x05hello", b"partial-body\x12\x05false"];
    let answer = shown_by_grpc(b"hello", text).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    // size: 2, protocol: "HTTP/1.1", raw_body: "\xff\x00"
    let bytes: &[&[u8]] = &[b"\x48\x02\x52\x08HTTP/1.1\x62\x02\xff\x00"];
    let answer = shown_by_grpc(b"\xff\x00", bytes).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn what_an_authority_is_told_by_grpc_of_a_body_counts_as_held() {
    let (backend, authority) = (Backend::bind().await, Backend::bind().await);
    let rule = shows_so_much(AUTH_BODY_BYTES_MAX, AuthProtocol::Grpc);
    let lab = lab(&[&backend], Some(&authority), rule);
    let head = format!("{POST}content-length: {AUTH_BODY_BYTES_MAX}\r\n\r\n");
    let request = [head.into_bytes(), vec![b'x'; AUTH_BODY_BYTES_MAX]].concat();
    // As bodies alone, twice as many would find room.
    let mut clients = Vec::new();
    for _ in 0..AUTH_BODIES_BYTES_MAX / AUTH_BODY_BYTES_MAX / 2 {
        let mut client = lab.connect().await;
        client.write_all(&request).await.unwrap();
        clients.push(client);
    }
    let answers = clients.iter_mut().map(|client| Box::pin(read_until(client, "\r\n\r\n")));
    let (first, ..) = select_all(answers).await;
    assert!(first.contains("\r\nx-waypoint-overloaded: true\r\n"), "{first}");
    assert_eq!(lab.line(1).await["response_flags"], "OM");
}
