//! Changes of protocol.

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;

use super::{
    lab::{Backend, Lab, read_to_end, read_until},
    traffic::govern,
};
use crate::mesh::{service::AppProtocol, snapshot::Contents};

const ASK: &[u8] = b"GET /chat HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\n\
    upgrade: websocket\r\nsec-websocket-key: abc\r\n\r\n";

const GRANT: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\
    upgrade: websocket\r\nsec-websocket-accept: def\r\n\r\n";

#[tokio::test]
async fn a_websocket_passes_both_ways_and_each_side_ends_on_its_own() {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Detect);
    let mut client = lab.connect().await;
    client.write_all(ASK).await.unwrap();
    let mut upstream = backend.accept().await;
    let asked = read_until(&mut upstream, "\r\n\r\n").await;
    for field in ["connection: upgrade\r\n", "upgrade: websocket\r\n", "sec-websocket-key: abc"] {
        assert!(asked.contains(field), "no {field:?} in {asked}");
    }
    // The first frame may come together with the head.
    upstream.write_all(&[GRANT, b"first"].concat()).await.unwrap();
    let granted = read_until(&mut client, "first").await;
    assert!(granted.starts_with("HTTP/1.1 101 "), "{granted}");
    for field in ["connection: upgrade\r\n", "upgrade: websocket\r\n", "sec-websocket-accept"] {
        assert!(granted.contains(field), "no {field:?} in {granted}");
    }
    client.write_all(b"ping").await.unwrap();
    read_until(&mut upstream, "ping").await;
    client.shutdown().await.unwrap();
    assert_eq!(read_to_end(&mut upstream).await, "");
    upstream.write_all(b"last").await.unwrap();
    drop(upstream);
    assert_eq!(read_to_end(&mut client).await, "last");
    let line = lab.line(1).await;
    assert_eq!(line["response_code"], 101);
    assert_eq!(line["response_flags"], "-");
    assert_eq!((&line["bytes_received"], &line["bytes_sent"]), (&4.into(), &9.into()));
}

#[tokio::test]
async fn an_upgrade_that_is_not_granted_is_an_ordinary_answer() {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Detect);
    let mut client = lab.connect().await;
    client.write_all(ASK).await.unwrap();
    let mut upstream = backend.accept().await;
    read_until(&mut upstream, "\r\n\r\n").await;
    upstream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno").await.unwrap();
    read_until(&mut client, "\r\n\r\nno").await;
    client.write_all(b"GET /next HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    assert!(read_until(&mut upstream, "\r\n\r\n").await.starts_with("GET /next "));
}

#[tokio::test]
async fn a_change_that_nobody_asked_for_is_a_fault_of_the_endpoint() {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Detect);
    let mut client = lab.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut upstream = backend.accept().await;
    read_until(&mut upstream, "\r\n\r\n").await;
    upstream.write_all(GRANT).await.unwrap();
    let answer = read_to_end(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    assert_eq!(lab.line(1).await["response_flags"], "UPE");
}

#[tokio::test]
async fn a_change_to_http_2_is_not_passed_on() {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Detect);
    backend.echo("one");
    let ask = "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings, close\r\n\
               upgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n";
    let answer = lab.ask(ask).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(!answer.contains("h2c") && !answer.contains("http2-settings"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_changed_its_protocol_is_ended_when_nothing_moves() {
    let backend = Backend::bind().await;
    let pause = Duration::from_secs(1);
    let idle = |contents: &mut Contents, _| {
        govern(contents, |policy| policy.requests.timeouts.stream_idle = Some(pause));
    };
    let lab = Lab::start_with(&[backend.address()], AppProtocol::Http, |_| {}, idle);
    let mut client = lab.connect().await;
    let ask = "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
    client.write_all(ask.as_bytes()).await.unwrap();
    let mut upstream = backend.accept().await;
    read_until(&mut upstream, "\r\n\r\n").await;
    let grant = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
    upstream.write_all(grant.as_bytes()).await.unwrap();
    read_until(&mut client, "\r\n\r\n").await;
    // Either direction alone keeps it.
    let began = Instant::now();
    while began.elapsed() < pause * 3 {
        upstream.write_all(b"tick").await.unwrap();
        read_until(&mut client, "tick").await;
    }
    while began.elapsed() < pause * 6 {
        client.write_all(b"tock").await.unwrap();
        read_until(&mut upstream, "tock").await;
    }
    assert_eq!(read_to_end(&mut client).await, "");
    assert_eq!(read_to_end(&mut upstream).await, "");
    assert_eq!(lab.line(1).await["response_flags"], "SI");
}
