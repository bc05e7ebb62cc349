//! Clients that do too much of something.

use http::StatusCode;

use super::*;
use crate::http2::{
    Reason,
    frame::{GOAWAY, PING, RST_STREAM},
    limits::CONTROL_BYTES_MAX,
};

fn is_flood(bench: &mut Bench) -> bool {
    bench.told(GOAWAY) == Some(Reason::ENHANCE_YOUR_CALM)
}

#[test]
fn streams_beyond_the_limit_are_refused_and_may_come_later() {
    let mut bench = Bench::new();
    for id in (1..).step_by(2).take(8) {
        let ask = bench.ask(id, "/", false);
        bench.feed(&ask);
    }
    let ask = bench.ask(17, "/", false);
    bench.feed(&ask);
    assert_eq!(bench.told(RST_STREAM), Some(Reason::REFUSED_STREAM));
    bench.accepted.remove(0);
    let ask = bench.ask(19, "/", false);
    bench.feed(&ask);
    assert_eq!(bench.accepted.len(), 8);
}

#[test]
fn streams_beyond_the_limit_are_no_errors_but_few_in_a_time() {
    let mut bench = Bench::new();
    let mut refused = 0;
    for id in (1..).step_by(2).take(8 + 40) {
        let ask = bench.ask(id, "/", false);
        bench.feed(&ask);
        refused += u32::from(id > 16);
        if bench.connection.failed().is_some() {
            break;
        }
    }
    assert_eq!(refused, LIMITS.early_resets_max + 1);
    assert!(is_flood(&mut bench));
}

#[test]
fn requests_that_are_reset_before_they_are_seen_are_few() {
    let mut bench = Bench::new();
    let mut bytes = BytesMut::new();
    for id in (1..).step_by(2).take(5) {
        bytes.extend(bench.ask(id, "/", true));
        bytes.extend(frame(RST_STREAM, 0, id, b"\0\0\0\x08"));
    }
    bench.feed(&bytes);
    assert!(bench.accepted.is_empty());
    assert!(is_flood(&mut bench));
}

#[test]
fn requests_that_are_reset_before_they_are_answered_are_few_in_a_time() {
    let mut bench = Bench::new();
    let mut resets = 0;
    for id in (1..).step_by(2).take(40) {
        let ask = bench.ask(id, "/", true);
        bench.feed(&ask);
        bench.feed(&frame(RST_STREAM, 0, id, b"\0\0\0\x08"));
        bench.accepted.clear();
        resets += 1;
        if bench.connection.failed().is_some() {
            break;
        }
    }
    assert_eq!(resets, LIMITS.early_resets_max + 1);
    assert!(is_flood(&mut bench));
}

#[test]
fn responses_that_are_reset_when_they_have_begun_are_no_flood() {
    let mut bench = Bench::new();
    for id in (1..).step_by(2).take(100) {
        let ask = bench.ask(id, "/", true);
        bench.feed(&ask);
        bench.accepted[0].reply.respond(StatusCode::OK, &HeaderMap::new(), false).unwrap();
        bench.feed(&frame(RST_STREAM, 0, id, b"\0\0\0\x08"));
        bench.accepted.clear();
    }
    assert_eq!(bench.connection.failed(), None);
    assert_eq!(bench.connection.streams(), 0);
}

#[test]
fn malformed_requests_are_few() {
    let mut bench = Bench::new();
    for id in (1..).step_by(2).take(17) {
        bench.feed(&headers(id, END_HEADERS | END_STREAM, b"\x82"));
    }
    assert!(is_flood(&mut bench));
}

#[test]
fn header_blocks_have_an_end() {
    let mut bench = Bench::new();
    bench.feed(&headers(1, 0, b"\x82"));
    for _ in 0..100 {
        bench.feed(&frame(CONTINUATION, 0, 1, b""));
    }
    assert!(is_flood(&mut bench));
    let mut bench = Bench::new();
    bench.feed(&headers(1, 0, &[0x82; 16_000]));
    for _ in 0..4 {
        bench.feed(&frame(CONTINUATION, 0, 1, &[0x82; 16_000]));
    }
    assert!(is_flood(&mut bench));
}

#[test]
fn frames_without_content_are_few() {
    let mut bench = Bench::new();
    let ask = bench.ask(1, "/", false);
    bench.feed(&ask);
    for _ in 0..200 {
        bench.feed(&body(1, b"", false));
    }
    assert!(is_flood(&mut bench));
}

#[test]
fn a_client_that_reads_no_answers_is_read_no_further() {
    let mut bench = Bench::new();
    bench.script.stuck.set(true);
    let pings: BytesMut = (0..1000)
        .map(|_| frame(PING, 0, 0, b"12345678"))
        .collect::<Vec<_>>()
        .concat()
        .as_slice()
        .into();
    for _ in 0..1000 {
        bench.feed(&pings);
    }
    let waiting = bench.script.input.borrow().len();
    assert!(waiting > 900, "only {waiting} were left to wait");
    bench.script.stuck.set(false);
    let sent = bench.sent();
    assert_eq!(sent.len(), 1_000_000);
    assert!(sent.len() * 17 > CONTROL_BYTES_MAX);
}

#[test]
fn small_pieces_take_little_memory() {
    let mut bench = Bench::new();
    let ask = bench.ask(1, "/", false);
    bench.feed(&ask);
    let pieces: Vec<u8> = (0..1000).flat_map(|_| body(1, b"x", false)).collect();
    for _ in 0..100 {
        bench.feed(&pieces);
    }
    let taken = bench.accepted[0].body.poll_piece(&mut context());
    assert!(matches!(taken, Poll::Ready(Some(Ok(Piece::Data(piece)))) if piece.len() == 1));
    let taken = bench.accepted[0].body.poll_piece(&mut context());
    let Poll::Ready(Some(Ok(Piece::Data(rest)))) = taken else { panic!("nothing came") };
    assert_eq!(rest.len(), 99_999);
}
