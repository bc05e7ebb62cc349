//! How much may be sent, either way.

use http::StatusCode;

use super::*;
use crate::http2::{
    Reason,
    frame::{GOAWAY, INITIAL_WINDOW_SIZE, RST_STREAM, WINDOW_UPDATE},
};

/// A connection with a request that is being answered.
fn answered() -> Bench {
    let mut bench = Bench::new();
    let ask = bench.ask(1, "/", true);
    bench.feed(&ask);
    bench.accepted[0].reply.respond(StatusCode::OK, &HeaderMap::new(), false).unwrap();
    bench.sent();
    bench
}

/// Sends as much of a piece as there is room for; how much that was.
fn send(bench: &mut Bench, piece: &mut Bytes) -> usize {
    let before = piece.len();
    let room = bench.accepted[0].reply.poll_room(&mut context());
    if room.is_ready() {
        bench.accepted[0].reply.send(piece, true).unwrap();
    }
    before - piece.len()
}

fn grow(id: u32, more: u32) -> BytesMut {
    frame(WINDOW_UPDATE, 0, id, &more.to_be_bytes())
}

fn window_of_streams(bytes: u32) -> BytesMut {
    let mut settings = BytesMut::new();
    put_settings(&[(INITIAL_WINDOW_SIZE, bytes)], &mut settings);
    settings
}

#[test]
fn a_body_stops_at_the_windows_and_goes_on_as_they_grow() {
    let mut bench = answered();
    let mut piece = Bytes::from(vec![b'x'; 100_000]);
    assert_eq!(send(&mut bench, &mut piece), 65_535);
    assert_eq!(send(&mut bench, &mut piece), 0);
    bench.feed(&grow(1, 10_000));
    assert_eq!(send(&mut bench, &mut piece), 0, "the connection has no room");
    bench.feed(&grow(0, 4_000));
    assert_eq!(send(&mut bench, &mut piece), 4_000);
    bench.feed(&grow(0, 1_000_000));
    assert_eq!(send(&mut bench, &mut piece), 6_000);
    bench.feed(&window_of_streams(200_000));
    assert_eq!(send(&mut bench, &mut piece), 24_465);
    let sent = bench.sent();
    let bodies: Vec<_> = sent.iter().filter(|(head, _)| head.kind == DATA).collect();
    assert_eq!(bodies.iter().map(|(head, _)| head.len).sum::<usize>(), 100_000);
    assert!(bodies.iter().all(|(head, _)| head.len <= 16 * 1024));
    let ends: Vec<_> = bodies.iter().map(|(head, _)| head.has(END_STREAM)).collect();
    assert_eq!(ends.iter().filter(|ends| **ends).count(), 1);
    assert_eq!(ends.last(), Some(&true));
}

#[test]
fn a_window_may_become_negative() {
    let mut bench = answered();
    let mut piece = Bytes::from(vec![b'x'; 70_000]);
    assert_eq!(send(&mut bench, &mut piece), 65_535);
    bench.feed(&together(&[window_of_streams(0), grow(0, 100_000), grow(1, 65_535)]));
    assert_eq!(send(&mut bench, &mut piece), 0);
    bench.feed(&grow(1, 1));
    assert_eq!(send(&mut bench, &mut piece), 1);
}

fn together(parts: &[BytesMut]) -> Vec<u8> {
    parts.concat()
}

#[test]
fn an_end_needs_no_room() {
    let mut bench = answered();
    let mut piece = Bytes::from(vec![b'x'; 65_535]);
    bench.accepted[0].reply.send(&mut piece, false).unwrap();
    assert!(bench.accepted[0].reply.poll_room(&mut context()).is_pending());
    bench.accepted[0].reply.end().unwrap();
    let (head, _) = bench.sent().pop().unwrap();
    assert_eq!((head.len, head.flags), (0, END_STREAM));
}

#[test]
fn a_client_that_does_not_read_is_sent_no_more_than_may_wait() {
    let mut bench = answered();
    bench.feed(&together(&[grow(0, 1_000_000), grow(1, 1_000_000)]));
    bench.script.stuck.set(true);
    let mut piece = Bytes::from(vec![b'x'; 1_000_000]);
    let taken = send(&mut bench, &mut piece);
    assert_eq!(taken, LIMITS.send_bytes_max);
    assert_eq!(send(&mut bench, &mut piece), 0);
    bench.script.stuck.set(false);
    bench.sent();
    assert!(send(&mut bench, &mut piece) > 0);
}

/// A request that began, and pieces of its body up to these bytes.
fn pour(bench: &mut Bench, mut bytes: usize) {
    while bytes > 0 {
        let piece = bytes.min(16 * 1024);
        bench.feed(&body(1, &vec![b'x'; piece], false));
        bytes -= piece;
    }
}

#[test]
fn what_is_taken_may_come_again_and_no_more() {
    let mut bench = Bench::new();
    let ask = bench.ask(1, "/", false);
    bench.feed(&ask);
    pour(&mut bench, 256 * 1024);
    assert!(bench.sent().is_empty());
    assert_eq!(bench.read(0).0.len(), 256 * 1024);
    let told = bench.sent();
    let of_stream = told.iter().filter(|(head, _)| head.kind == WINDOW_UPDATE && head.id == 1);
    assert!(of_stream.count() <= 2, "{told:?}");
    pour(&mut bench, 256 * 1024);
    assert_eq!(bench.told(RST_STREAM), None);
    pour(&mut bench, 1);
    assert_eq!(bench.told(RST_STREAM), Some(Reason::FLOW_CONTROL_ERROR));
}

#[test]
fn the_connection_bounds_all_streams_together() {
    let mut bench = Bench::new();
    for id in [1, 3, 5, 7] {
        let ask = bench.ask(id, "/", false);
        bench.feed(&ask);
    }
    for id in [1, 3, 5, 7] {
        for _ in 0..16 {
            bench.feed(&body(id, &[b'x'; 16 * 1024], false));
        }
    }
    assert_eq!(bench.connection.failed(), None);
    let ask = bench.ask(9, "/", false);
    bench.feed(&ask);
    bench.feed(&body(9, b"x", false));
    assert_eq!(bench.told(GOAWAY), Some(Reason::FLOW_CONTROL_ERROR));
}

#[test]
fn what_nobody_takes_is_given_back_to_the_connection() {
    let mut bench = Bench::new();
    let ask = bench.ask(1, "/", false);
    bench.feed(&ask);
    let Accepted { body: unwanted, reply, .. } = bench.accepted.pop().unwrap();
    pour(&mut bench, 256 * 1024);
    drop(unwanted);
    // All of it: another stream can send as much as any.
    drop(reply);
    bench.sent();
    for round in 0..20 {
        let id = 3 + 2 * round;
        let ask = bench.ask(id, "/", false);
        bench.feed(&ask);
        for _ in 0..16 {
            bench.feed(&body(id, &[b'x'; 16 * 1024], false));
        }
        bench.accepted.clear();
        assert_eq!(bench.connection.failed(), None, "after {round}");
    }
}

#[test]
fn what_came_of_requests_that_nobody_saw_is_given_back() {
    let mut bench = Bench::new();
    let piece = vec![b'x'; 16 * 1024];
    for id in (1..).step_by(2).take(16) {
        let mut bytes = bench.ask(id, "/", false);
        (0..5).for_each(|_| bytes.extend(body(id, &piece, false)));
        bytes.extend(frame(RST_STREAM, 0, id, b"\0\0\0\x08"));
        bench.feed(&bytes);
    }
    assert!(bench.accepted.is_empty());
    let ask = bench.ask(33, "/", false);
    bench.feed(&ask);
    (0..16).for_each(|_| bench.feed(&body(33, &piece, false)));
    assert_eq!(bench.connection.failed(), None);
    assert_eq!(bench.connection.streams(), 1);
}
