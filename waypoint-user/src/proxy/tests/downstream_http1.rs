//! What clients may do with an HTTP/1 connection.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::lab::{Backend, Lab, PATIENCE, add_policy, read_to_end, read_until};
use crate::{
    mesh::{
        object::ObjectName,
        policy::{Action, AuthorizationPolicy, PolicyRule, PolicyTarget},
        service::AppProtocol,
        snapshot::Contents,
    },
    telemetry::task,
};

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

mod bodies;
mod malformed;

/// An engine before one endpoint, a client of it, and the endpoint.
async fn start() -> (Lab, TcpStream, Backend) {
    start_with(|_| {}).await
}

async fn start_with(change: impl FnOnce(&mut Contents)) -> (Lab, TcpStream, Backend) {
    let backend = Backend::bind().await;
    let lab = Lab::start_with(
        &[backend.address()],
        AppProtocol::Http,
        |_| {},
        |contents, _| change(contents),
    );
    let client = lab.connect().await;
    (lab, client, backend)
}

/// Denies everything.
fn deny_all(contents: &mut Contents) {
    add_policy(
        contents,
        AuthorizationPolicy {
            name: ObjectName::new("default", "nothing"),
            action: Action::Deny,
            targets: vec![PolicyTarget::Service(ObjectName::new("default", "shop"))],
            rules: vec![PolicyRule::default()],
            dry_run: false,
        },
    );
}

#[tokio::test]
async fn requests_that_come_together_are_answered_in_order() {
    let (lab, mut client, backend) = start().await;
    backend.echo("one");
    let body = "POST /2 HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n";
    let all = format!(
        "GET /1 HTTP/1.1\r\nhost: a\r\n\r\n{body}\r\n\
         GET /3 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\nGET /4 HTTP/1.1\r\nhost: a\r\n\r\n"
    );
    client.write_all(all.as_bytes()).await.unwrap();
    let answers = read_to_end(&mut client).await;
    let places: Vec<_> = ["GET /1 ", "POST /2 ", "GET /3 "]
        .iter()
        .map(|line| answers.find(&format!("\r\n\r\none\n{line}")).expect(line))
        .collect();
    assert!(places.is_sorted(), "{answers}");
    assert!(!answers.contains("/4"), "{answers}");
    assert_eq!(lab.line(3).await["path"], "/3");
}

#[tokio::test]
async fn a_head_and_a_short_body_leave_together() {
    let (_lab, mut client, backend) = start().await;
    client.write_all(GET.as_bytes()).await.unwrap();
    let mut upstream = backend.accept().await;
    read_until(&mut upstream, "\r\n\r\n").await;
    upstream.write_all(OK).await.unwrap();
    let mut answer = [0; 1024];
    let read = timeout(PATIENCE, client.read(&mut answer)).await.unwrap().unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]);
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
    assert!(answer.contains("\r\ndate: "), "{answer}");
}

#[tokio::test]
async fn an_old_client_may_keep_its_connection() {
    let (_lab, mut client, backend) = start().await;
    backend.echo("one");
    for _ in 0..2 {
        let ask = b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n";
        client.write_all(ask).await.unwrap();
        let head = read_until(&mut client, "\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.0 200 OK\r\n"), "{head}");
        assert!(head.contains("\r\nconnection: keep-alive\r\n"), "{head}");
        read_until(&mut client, "\r\n\r\n").await;
    }
}

#[tokio::test]
async fn an_old_client_sees_that_a_response_of_unknown_length_broke() {
    let (lab, mut client, backend) = start().await;
    client.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let mut upstream = backend.accept().await;
    read_until(&mut upstream, "\r\n\r\n").await;
    let begin = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n";
    upstream.write_all(begin).await.unwrap();
    read_until(&mut client, "\r\n\r\nabc").await;
    drop(upstream);
    let end = timeout(PATIENCE, client.read_u8()).await.unwrap().unwrap_err();
    assert_eq!(end.kind(), std::io::ErrorKind::ConnectionReset, "{end}");
    assert_eq!(lab.line(1).await["response_flags"], "UC");
}

#[tokio::test]
async fn a_body_that_turns_out_to_be_none_breaks_its_request() {
    let (lab, mut client, backend) = start().await;
    let begin = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n";
    client.write_all(begin.as_bytes()).await.unwrap();
    let mut upstream = backend.accept().await;
    read_until(&mut upstream, "3\r\nabc\r\n").await;
    client.write_all(format!("nonsense\r\n{GET}").as_bytes()).await.unwrap();
    let answer = read_to_end(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert_eq!(read_to_end(&mut upstream).await, "");
    let line = lab.line(1).await;
    assert_eq!((&line["response_flags"], &line["response_code"]), (&"DPE".into(), &400.into()));
}

#[tokio::test]
async fn a_client_that_leaves_within_its_body_takes_the_request_along() {
    let (lab, mut client, backend) = start().await;
    let begin = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\nabc";
    client.write_all(begin).await.unwrap();
    let mut upstream = backend.accept().await;
    read_until(&mut upstream, "\r\n\r\nabc").await;
    drop(client);
    assert_eq!(read_to_end(&mut upstream).await, "");
    assert_eq!(lab.line(1).await["response_flags"], "DC");
}

#[tokio::test]
async fn a_refusal_reaches_a_client_that_still_sends() {
    let (_lab, mut client, _backend) = start_with(deny_all).await;
    // A body that came with its head is passed over, and the connection stays.
    let small = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc";
    for _ in 0..2 {
        client.write_all(small.as_bytes()).await.unwrap();
        let answer = read_until(&mut client, "RBAC: access denied").await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        assert!(!answer.contains("connection: close"), "{answer}");
    }
    let large = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 200000\r\n\r\n";
    client.write_all(large.as_bytes()).await.unwrap();
    client.write_all(&vec![b'x'; 100_000]).await.unwrap();
    let answer = read_to_end(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert!(answer.ends_with("RBAC: access denied"), "{answer}");
}

const EXPECT: &str =
    "POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n";

#[tokio::test]
async fn a_client_sends_its_body_when_the_endpoint_wants_it() {
    let (_lab, mut client, backend) = start().await;
    client.write_all(EXPECT.as_bytes()).await.unwrap();
    let mut upstream = backend.accept().await;
    let head = read_until(&mut upstream, "\r\n\r\n").await;
    assert!(head.contains("\r\nexpect: 100-continue\r\n"), "{head}");
    upstream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.unwrap();
    let leave = read_until(&mut client, "\r\n\r\n").await;
    assert_eq!(leave, "HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(b"abc").await.unwrap();
    read_until(&mut upstream, "abc").await;
    upstream.write_all(OK).await.unwrap();
    read_until(&mut client, "\r\n\r\nok").await;
    // Both connections carry more.
    client.write_all(GET.as_bytes()).await.unwrap();
    read_until(&mut upstream, "\r\n\r\n").await;
}

#[tokio::test]
async fn a_client_whose_endpoint_never_wants_its_body_is_answered_without_it() {
    let (_lab, mut client, backend) = start().await;
    client.write_all(EXPECT.as_bytes()).await.unwrap();
    let mut upstream = backend.accept().await;
    read_until(&mut upstream, "\r\n\r\n").await;
    upstream.write_all(b"HTTP/1.1 417 No\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    let answer = read_to_end(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 417 "), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert_eq!(read_to_end(&mut upstream).await, "");

    let (_lab, mut client, _backend) = start_with(deny_all).await;
    client.write_all(EXPECT.as_bytes()).await.unwrap();
    let answer = read_to_end(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
}

#[tokio::test]
async fn an_endpoint_that_knows_nothing_of_leave_gets_the_body_after_a_while() {
    let (_lab, mut client, backend) = start().await;
    client.write_all(EXPECT.as_bytes()).await.unwrap();
    read_until(&mut client, "HTTP/1.1 100 Continue\r\n\r\n").await;
    client.write_all(b"abc").await.unwrap();
    let mut upstream = backend.accept().await;
    read_until(&mut upstream, "\r\n\r\nabc").await;
}

#[tokio::test]
async fn hints_reach_a_client_before_the_response() {
    let (lab, mut client, backend) = start().await;
    client.write_all(GET.as_bytes()).await.unwrap();
    let mut upstream = backend.accept().await;
    read_until(&mut upstream, "\r\n\r\n").await;
    let hint = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\nconnection: x\r\nx: y\r\n\r\n";
    upstream.write_all(hint).await.unwrap();
    let hint = read_until(&mut client, "\r\n\r\n").await;
    assert_eq!(hint, "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n");
    upstream.write_all(OK).await.unwrap();
    let answer = read_until(&mut client, "\r\n\r\nok").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    // An old client would take it for the response.
    let mut old = lab.connect().await;
    old.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    read_until(&mut upstream, "\r\n\r\n").await;
    upstream.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\n").await.unwrap();
    upstream.write_all(OK).await.unwrap();
    let answer = read_to_end(&mut old).await;
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn an_asterisk_and_an_absolute_target_are_understood() {
    let (lab, _, backend) = start().await;
    backend.echo("one");
    for (line, sent, host) in [
        ("OPTIONS * HTTP/1.1\r\nhost: a\r\n", "OPTIONS * HTTP/1.1\r\n", "host: a\r\n"),
        ("GET http://b:81/c?d HTTP/1.1\r\nhost: a\r\n", "GET /c?d HTTP/1.1\r\n", "host: b:81\r\n"),
    ] {
        let answer = lab.ask(&format!("{line}connection: close\r\n\r\n")).await;
        assert!(answer.contains(&format!("\r\n\r\none\n{sent}")), "{answer}");
        assert!(answer.contains(host), "{answer}");
    }
}

/// Bytes that pass before both sides and we have no room any more: what the kernel may take for two
/// connections, and ours.
const ROOM_MAX: usize = 64 << 20;

#[tokio::test]
async fn whoever_does_not_read_stops_whoever_writes() {
    let (_lab, mut client, backend) = start().await;
    let ask = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000000\r\n\r\n";
    client.write_all(ask).await.unwrap();
    let mut upstream = backend.accept().await;
    read_until(&mut upstream, "\r\n\r\n").await;
    assert!(fill(&mut client).await < ROOM_MAX, "an endpoint that does not read is no limit");

    let (_lab, mut client, backend) = start().await;
    client.write_all(GET.as_bytes()).await.unwrap();
    let mut upstream = backend.accept().await;
    read_until(&mut upstream, "\r\n\r\n").await;
    upstream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n").await.unwrap();
    let written = fill(&mut upstream).await;
    assert!(written < ROOM_MAX, "a client that does not read is no limit");
    // What waited comes as soon as it is read.
    let read = task::spawn("client", async move {
        read_until(&mut client, "\r\n\r\n").await;
        let mut body = vec![0; written];
        timeout(PATIENCE, client.read_exact(&mut body)).await.expect("the rest").unwrap();
        client
    });
    let _client = read.await.unwrap();
}

/// Writes until nothing was taken for a while, and returns how much was.
async fn fill(stream: &mut TcpStream) -> usize {
    let (mut written, piece) = (0, vec![b'x'; 64 * 1024]);
    while let Ok(more) = timeout(Duration::from_millis(300), stream.write(&piece)).await {
        written += more.unwrap();
        assert!(written < 2 * ROOM_MAX, "nobody stops it");
    }
    written
}
