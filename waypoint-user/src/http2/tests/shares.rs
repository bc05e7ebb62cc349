//! What streams of a connection leave to each other.

use std::{
    sync::{Arc, Mutex},
    task::Wake,
};

use http::StatusCode;

use super::*;
use crate::http2::frame::{RST_STREAM, WINDOW_UPDATE};

/// What a client that keeps to the windows may send.
struct Windows {
    connection: usize,
    stream: usize,
}

impl Windows {
    /// Notes what was granted to the connection, and to this stream.
    fn grow(&mut self, id: u32, bench: &mut Bench) {
        for (head, payload) in bench.sent() {
            let more = payload.first_chunk().map_or(0, |more| u32::from_be_bytes(*more));
            match (head.kind, head.id) {
                (WINDOW_UPDATE, 0) => self.connection += more as usize,
                (WINDOW_UPDATE, of) if of == id => self.stream += more as usize,
                _ => {}
            }
        }
    }
}

#[test]
fn bodies_that_nobody_takes_do_not_stop_others() {
    const PIECE: usize = 16 * 1024;
    let mut bench = Bench::new();
    let window = LIMITS.stream_window as usize;
    for id in [1, 3, 5] {
        let ask = bench.ask(id, "/", false);
        bench.feed(&ask);
        (0..window / PIECE).for_each(|_| bench.feed(&body(id, &[b'x'; PIECE], false)));
    }
    let ask = bench.ask(7, "/", false);
    bench.feed(&ask);
    let connection = LIMITS.connection_window as usize - 3 * window;
    let mut windows = Windows { connection, stream: window };
    for piece in 0..4 * window / PIECE {
        assert!(windows.connection >= PIECE && windows.stream >= PIECE, "no room for {piece}");
        bench.feed(&body(7, &[b'x'; PIECE], false));
        windows.connection -= PIECE;
        windows.stream -= PIECE;
        assert_eq!(bench.read(3).0.len(), PIECE);
        windows.grow(7, &mut bench);
    }
}

#[test]
fn a_window_that_is_taken_at_once_is_given_back_by_halves() {
    const PIECE: usize = 16 * 1024;
    let mut bench = Bench::new();
    let mut told = 0;
    let ask = bench.ask(1, "/", false);
    bench.feed(&ask);
    for _ in 0..4 * LIMITS.connection_window as usize / PIECE {
        bench.feed(&body(1, &[b'x'; PIECE], false));
        bench.read(0);
        let sent = bench.sent();
        told += sent.iter().filter(|(head, _)| head.kind == WINDOW_UPDATE && head.id == 0).count();
    }
    assert_eq!(told, 8);
}

/// A connection on which this many responses have begun, whose client grants nothing to it.
fn responding(streams: u32) -> Bench {
    let mut bench = Bench::new();
    for id in (1..).step_by(2).zip(0..streams).map(|(id, _)| id) {
        let ask = bench.ask(id, "/", true);
        bench.feed(&ask);
    }
    for Accepted { reply, .. } in &mut bench.accepted {
        reply.respond(StatusCode::OK, &HeaderMap::new(), false).unwrap();
    }
    bench.sent();
    bench
}

/// Lets a response that never ends send as much as it may, as often as it may.
fn pour(bench: &mut Bench, which: usize) {
    let reply = &mut bench.accepted[which].reply;
    let mut piece = Bytes::from(vec![b'x'; 1_000_000]);
    assert!(reply.poll_send(&mut piece, false, &mut context()).is_pending());
}

fn grant(bench: &mut Bench, more: u32) {
    let ids = (1..).step_by(2).take(bench.accepted.len());
    let streams = ids.map(|id| frame(WINDOW_UPDATE, 0, id, &more.to_be_bytes()));
    let all: Vec<u8> = streams.flatten().collect();
    bench.feed(&all);
    bench.feed(&frame(WINDOW_UPDATE, 0, 0, &more.to_be_bytes()));
}

/// Notes who is woken.
struct Bell {
    which: usize,
    rung: Arc<Mutex<Vec<usize>>>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rung.lock().unwrap().push(self.which);
    }
}

#[test]
fn a_response_without_an_end_leaves_room_for_others() {
    for more in [16 * 1024, 128 * 1024] {
        let mut bench = responding(4);
        let rung = Arc::new(Mutex::new(vec![0, 1, 2, 3]));
        let bell = |which| Waker::from(Arc::new(Bell { which, rung: Arc::clone(&rung) }));
        let mut rests = [(); 4].map(|()| Bytes::from(vec![b'x'; 50_000]));
        let mut grants = 0;
        while rests[1..].iter().any(|rest| !rest.is_empty()) {
            rests[0] = Bytes::from(vec![b'x'; 1_000_000]);
            let woken = std::mem::take(&mut *rung.lock().unwrap());
            for which in woken {
                if rests[which].is_empty() {
                    continue;
                }
                let (reply, waker) = (&mut bench.accepted[which].reply, bell(which));
                let mut cx = Context::from_waker(&waker);
                let _sent = reply.poll_send(&mut rests[which], which > 0, &mut cx);
            }
            bench.drive();
            if rung.lock().unwrap().is_empty() {
                grant(&mut bench, more);
                grants += 1;
                assert!(grants < 40, "{rests:?} are left with {more}");
            }
        }
    }
}

#[test]
fn a_response_that_took_its_share_goes_on_where_nobody_else_does() {
    let mut bench = responding(2);
    pour(&mut bench, 0);
    pour(&mut bench, 1);
    grant(&mut bench, 200_000);
    pour(&mut bench, 0);
    let half = bench.sent().iter().map(|(head, _)| head.len).sum::<usize>();
    assert!((100_000..160_000).contains(&(half - 65_535)), "{half}");
    bench.accepted.pop();
    pour(&mut bench, 0);
    bench.drive();
    pour(&mut bench, 0);
    bench.drive();
    pour(&mut bench, 0);
    let sent = bench.sent();
    let rest = sent.iter().filter(|(head, _)| head.kind == DATA).map(|(head, _)| head.len);
    assert_eq!(half + rest.sum::<usize>(), 65_535 + 200_000);
}

#[test]
fn responses_that_were_reset_while_they_waited_are_forgotten() {
    let mut bench = responding(1);
    pour(&mut bench, 0);
    for id in (3..).step_by(2).take(1000) {
        let ask = bench.ask(id, "/", true);
        bench.feed(&ask);
        bench.accepted[1].reply.respond(StatusCode::OK, &HeaderMap::new(), false).unwrap();
        pour(&mut bench, 1);
        bench.feed(&frame(RST_STREAM, 0, id, b"\0\0\0\x08"));
        bench.accepted.pop();
    }
    assert_eq!(bench.connection.streams(), 1);
    assert_eq!(bench.connection.state.borrow().turns.waiting.len(), 1);
}
