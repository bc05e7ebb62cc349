//! Requests that had to wait count their waiting.

use std::{net::TcpListener, thread};

use super::*;
use crate::bench::l7::load::{Carrier, Shape};

/// Answers one connection; the first answer takes a while.
fn serve(listener: &TcpListener, pause: Duration) {
    let (mut stream, _) = listener.accept().unwrap();
    let until = Instant::now() + pause;
    let mut bytes = [0; 4096];
    loop {
        let Ok(count @ 1..) = stream.read(&mut bytes) else { return };
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            thread::park_timeout(left);
        }
        // Nobody asks again before the answer, so there is one request in it.
        assert!(bytes[..count].ends_with(b"\r\n\r\n"));
        if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").is_err() {
            return;
        }
    }
}

#[test]
fn a_pause_of_the_server_delays_everybody_who_was_due_meanwhile() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let load = Load {
        shape: Shape::Paced,
        carrier: Carrier::Plain,
        connect: address,
        host: address,
        connections: 1,
        streams: 1,
        rate: 100,
        path: "/".to_owned(),
        tenant: None,
        warm_up: 0,
        period: 1000,
        credentials: None,
        identity: None,
        proxy: None,
        backend: std::process::id(),
    };
    let server = thread::spawn(move || serve(&listener, Duration::from_millis(700)));
    let seen = measure(&load).unwrap();
    server.join().unwrap();
    // Of a hundred requests one waits for the server, and seventy for that one.
    assert!(seen.p50_us > 50_000.0, "{seen:?}");
    assert!(seen.rate > 50.0 && seen.p99_us > 600_000.0, "{seen:?}");
}
