//! What waits to be sent.

use http::StatusCode;

use super::*;
use crate::http2::{frame::put_ping, limits::CONTROL_BYTES_MAX, output::Output};

/// Sends so many pieces each time, and never the last one.
struct Narrow(usize);

impl Io for Narrow {
    fn poll_fill(&mut self, _: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        Poll::Pending
    }

    fn poll_send(
        &mut self,
        queue: &mut VecDeque<Bytes>,
        _: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.0 == 0 || queue.len() <= 1 {
            return Poll::Pending;
        }
        self.0 -= 1;
        queue.pop_front();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn ping(output: &mut Output) {
    output.control(|output| put_ping(*b"12345678", ACK, output));
}

fn payload(output: &mut Output) {
    let payload = Bytes::from(vec![b'x'; 16 * 1024]);
    output.payload(Head { len: payload.len(), kind: DATA, flags: 0, id: 1 }, payload);
}

#[test]
fn answers_that_left_do_not_count_although_something_always_waits() {
    let mut output = Output::default();
    for round in 0..CONTROL_BYTES_MAX {
        ping(&mut output);
        payload(&mut output);
        assert!(output.poll_send(&mut Narrow(usize::MAX), &mut context()).is_pending());
        assert!(!output.is_choked(), "after {round}");
    }
}

#[test]
fn answers_that_wait_do_count_although_something_leaves() {
    let mut output = Output::default();
    let mut rounds = 0;
    while !output.is_choked() {
        (0..100).for_each(|_| ping(&mut output));
        payload(&mut output);
        assert!(output.poll_send(&mut Narrow(1), &mut context()).is_pending());
        rounds += 1;
        assert!(rounds < CONTROL_BYTES_MAX, "it never chokes");
    }
    // Of two pieces of a round one leaves, and every second one is answers.
    let waiting = rounds / 2 * 1700;
    assert!((CONTROL_BYTES_MAX / 2..=CONTROL_BYTES_MAX + 4000).contains(&waiting), "{waiting}");
}

#[test]
fn what_comes_before_a_response_is_passed_over_where_too_much_waits() {
    let mut bench = Bench::new();
    let ask = bench.ask(1, "/", true);
    bench.feed(&ask);
    bench.script.stuck.set(true);
    let value = HeaderValue::try_from("x".repeat(10_000)).unwrap();
    let headers = HeaderMap::from_iter([(HeaderName::from_static("x-a"), value)]);
    for _ in 0..100 {
        bench.accepted[0].body.hint(StatusCode::EARLY_HINTS, &headers);
    }
    let waiting = bench.connection.state.borrow().output.waiting();
    assert!(waiting < CONTROL_BYTES_MAX + 20_000, "{waiting} bytes wait");
    bench.accepted[0].body.hint(StatusCode::CONTINUE, &HeaderMap::new());
    assert!(bench.connection.state.borrow().output.waiting() > waiting);
    bench.accepted[0].reply.respond(StatusCode::OK, &headers, true).unwrap();
    bench.script.stuck.set(false);
    assert!(bench.sent().pop().is_some_and(|(head, _)| head.has(END_STREAM)));
}

#[test]
fn memory_for_much_that_was_sent_is_not_kept() {
    let mut output = Output::default();
    output.control(|heads| heads.extend_from_slice(&vec![0; 600_000]));
    output.control(|heads| heads.put_u8(0));
    assert!(output.poll_send(&mut Script::default(), &mut context()).is_ready());
    for _ in 0..20 {
        Output::default().control(|heads| assert!(!heads.try_reclaim(100_000)));
    }
}

#[test]
fn memory_for_heads_is_used_again() {
    let room = || Output::default().control(|heads| heads.capacity());
    let fresh = room();
    for _ in 0..3 {
        let mut output = Output::default();
        ping(&mut output);
        assert!(output.poll_send(&mut Script::default(), &mut context()).is_ready());
        assert!(room() < fresh);
    }
}
