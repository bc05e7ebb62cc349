//! Drain, memory and places.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};

use super::lab::{Backend, Lab, PATIENCE, read_to_end, read_until};
use crate::{mesh::service::AppProtocol, proxy::Drained};

/// Writes until nothing was taken for a while, and returns how much was.
async fn fill(stream: &mut TcpStream, most: usize) -> usize {
    let piece = vec![b'x'; 64 * 1024];
    let mut written = 0;
    while written < most {
        match timeout(Duration::from_millis(500), stream.write(&piece)).await {
            Ok(taken) => written += taken.unwrap(),
            Err(_) => break,
        }
    }
    written
}

#[tokio::test]
async fn a_reader_that_pauses_stops_the_writer_of_100_mib() {
    const BODY_BYTES: usize = 100 * 1024 * 1024;
    for protocol in [AppProtocol::Http, AppProtocol::Tcp] {
        let backend = Backend::bind().await;
        let lab = Lab::start(&[backend.address()], protocol);
        let mut client = lab.connect().await;
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let mut upstream = backend.accept().await;
        read_until(&mut upstream, "\r\n\r\n").await;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {BODY_BYTES}\r\n\r\n");
        upstream.write_all(head.as_bytes()).await.unwrap();
        let taken = fill(&mut upstream, BODY_BYTES).await;
        // Most of it waits in the kernel's socket buffers; ours are a megabyte at most.
        assert!(taken < BODY_BYTES / 4, "{taken} bytes were taken for {protocol:?}");
        let rest = vec![b'x'; BODY_BYTES - taken];
        let write = async {
            upstream.write_all(&rest).await.unwrap();
            drop(upstream);
        };
        let read = async {
            read_until(&mut client, "\r\n\r\n").await;
            let mut read = 0;
            let mut buffer = vec![0; 256 * 1024];
            while read < BODY_BYTES {
                let bytes = timeout(PATIENCE, client.read(&mut buffer)).await.unwrap().unwrap();
                assert_ne!(bytes, 0, "the body ended after {read} bytes");
                read += bytes;
            }
        };
        tokio::join!(write, read);
    }
}

#[tokio::test]
async fn connections_beyond_the_limit_are_reset_and_counted() {
    let backend = Backend::bind().await;
    let lab = Lab::start_with(
        &[backend.address()],
        AppProtocol::Tcp,
        |settings| settings.connections_max = 1,
        |_, _| {},
    );
    let mut first = lab.connect().await;
    first.write_all(b"x").await.unwrap();
    let mut upstream = backend.accept().await;
    read_until(&mut upstream, "x").await;
    lab.connect_in_vain().await;
    let hits = lab.metric(&["waypoint_limit_hits_total{limit=\"connections\"}"]).await;
    assert!((hits - 1.0).abs() < f64::EPSILON);
    drop((first, upstream));
    assert_eq!(lab.line(1).await["response_flags"], "-");
    let until = Instant::now() + PATIENCE;
    while lab.metric(&["waypoint_connections{worker=\"0\"}"]).await > 0.0 {
        assert!(Instant::now() < until, "the place is never free again");
    }
}

#[tokio::test]
async fn a_drain_lets_requests_end_and_takes_no_more() {
    let backend = Backend::bind().await;
    let lab = Lab::start_with(
        &[backend.address()],
        AppProtocol::Detect,
        |settings| settings.sniff_deadline = PATIENCE,
        |_, _| {},
    );
    let mut busy = lab.connect().await;
    busy.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut upstream = backend.accept().await;
    read_until(&mut upstream, "\r\n\r\n").await;
    let mut idle = lab.connect().await;
    lab.metric(&["waypoint_connections{worker=\"0\"} 2"]).await;
    let (address, registry) = (lab.address, lab.registry.clone());
    let drained = crate::telemetry::task::spawn("drain", lab.engine.drain());
    assert_eq!(read_to_end(&mut idle).await, "");
    let until = Instant::now() + PATIENCE;
    while TcpStream::connect(address).await.is_ok() {
        assert!(Instant::now() < until, "connections are still accepted");
    }
    upstream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
    let answer = read_to_end(&mut busy).await;
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
    let Drained { finished, cut } = timeout(PATIENCE, drained).await.unwrap().unwrap();
    assert!(finished >= 1 && cut == 0, "{finished} finished, {cut} cut");
    assert!(registry.encode().contains("waypoint_connections{worker=\"0\"} 0\n"));
}

#[tokio::test]
async fn a_drain_cuts_what_does_not_end() {
    let backend = Backend::bind().await;
    let lab = Lab::start_with(
        &[backend.address()],
        AppProtocol::Tcp,
        |settings| settings.drain_deadline = Duration::from_millis(50),
        |_, _| {},
    );
    let mut client = lab.connect().await;
    client.write_all(b"x").await.unwrap();
    let mut upstream = backend.accept().await;
    read_until(&mut upstream, "x").await;
    let drained = timeout(PATIENCE, lab.engine.drain()).await.unwrap();
    assert_eq!(drained, Drained { finished: 0, cut: 1 });
    assert_eq!(read_to_end(&mut client).await, "");
    assert_eq!(read_to_end(&mut upstream).await, "");
}

#[tokio::test]
async fn a_request_that_was_sent_before_a_drain_is_answered() {
    for _ in 0..10 {
        let backend = Backend::bind().await;
        let lab = Lab::start(&[backend.address()], AppProtocol::Detect);
        backend.echo("one");
        let mut client = lab.connect().await;
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let drained = crate::telemetry::task::spawn("drain", lab.engine.drain());
        let answer = read_to_end(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert_eq!(timeout(PATIENCE, drained).await.unwrap().unwrap().cut, 0);
    }
}
