//! Pings, and what is taken.

use super::*;
use crate::http2::{
    Reason,
    frame::{PING, WINDOW_UPDATE},
};

fn pings(bench: &mut Bench) -> Vec<Bytes> {
    let pings = bench.sent().into_iter().filter(|(head, _)| head.kind == PING && !head.has(ACK));
    pings.map(|(_, content)| content).collect()
}

#[test]
fn a_ping_is_answered_once_and_by_its_own_content() {
    let mut bench = Bench::new();
    bench.connection.ping();
    bench.connection.ping();
    let sent = pings(&mut bench);
    assert_eq!(sent.len(), 1, "one at a time");
    bench.feed(&frame(PING, ACK, 0, b"another!"));
    assert!(!bench.connection.take_pong());
    bench.feed(&frame(PING, ACK, 0, &sent[0]));
    assert!(bench.connection.take_pong());
    assert!(!bench.connection.take_pong(), "it is told once");
    bench.feed(&frame(PING, ACK, 0, &sent[0]));
    assert!(!bench.connection.take_pong(), "nobody had asked");
    bench.connection.ping();
    assert_eq!(pings(&mut bench).len(), 1);
}

/// A connection with a request that goes on.
fn begun() -> Bench {
    let mut bench = Bench::new();
    let ask = bench.ask(1, "/", false);
    bench.feed(&ask);
    bench
}

fn pour(bench: &mut Bench, pieces: usize) {
    for _ in 0..pieces {
        bench.feed(&body(1, &[b'x'; 16 * 1024], false));
    }
}

#[test]
fn bytes_are_given_back_as_they_are_taken() {
    let mut bench = begun();
    pour(&mut bench, 16);
    let receiving = &mut bench.accepted[0].body;
    assert!(receiving.poll_readable(&mut context()).is_ready());
    assert_eq!(bench.connection.taken(), 0);
    assert!(bench.sent().is_empty(), "nothing was taken");
    let mut taken = 0;
    while let Poll::Ready(bytes) = bench.accepted[0].body.poll_bytes(1000, &mut context()) {
        let bytes = bytes.unwrap().unwrap();
        assert!((1..=1000).contains(&bytes.len()));
        taken += bytes.len();
        assert_eq!(bench.connection.taken(), taken as u64);
    }
    assert_eq!(taken, 256 * 1024);
    let more: u32 = bench
        .sent()
        .iter()
        .filter(|(head, _)| head.kind == WINDOW_UPDATE && head.id == 1)
        .map(|(_, more)| u32::from_be_bytes(*more.first_chunk().unwrap()))
        .sum();
    assert!(more as usize <= taken && more as usize > taken / 2, "{more} of {taken}");
    assert!(bench.accepted[0].body.poll_readable(&mut context()).is_pending());
}

#[test]
fn frames_are_as_long_as_was_agreed() {
    let script = Script::default();
    let limits = Limits { payload_max: 64 * 1024, ..LIMITS };
    let connection = Connection::server(script.clone(), limits);
    let mut bench = Bench { script, connection, encoder: Encoder::new(), accepted: Vec::new() };
    let mut bytes = BytesMut::from(PREFACE);
    put_settings(&[], &mut bytes);
    bytes.extend(bench.ask(1, "/", false));
    bench.feed(&bytes);
    bench.feed(&body(1, &vec![b'x'; 64 * 1024], false));
    assert_eq!(bench.connection.failed(), None);
    assert_eq!(bench.read(0).0.len(), 64 * 1024);
    bench.feed(&body(1, &vec![b'x'; 64 * 1024 + 1], false));
    let told = bench.told(crate::http2::frame::GOAWAY);
    assert_eq!(told, Some(Reason::FRAME_SIZE_ERROR));
}

#[test]
fn a_connection_is_over_though_what_came_is_not_taken() {
    let mut bench = begun();
    bench.feed(&body(1, b"late", true));
    bench.accepted[0].reply.respond(http::StatusCode::OK, &HeaderMap::new(), true).unwrap();
    bench.connection.end();
    let farewell = pings(&mut bench).remove(0);
    bench.feed(&frame(PING, ACK, 0, &farewell));
    bench.sent();
    let over = bench.connection.poll_accept(&mut context());
    assert!(matches!(over, Poll::Ready(None)));
    assert_eq!(bench.connection.failed(), None);
    assert_eq!(bench.read(0).0, b"late");
}
