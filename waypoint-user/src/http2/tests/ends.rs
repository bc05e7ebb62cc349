//! How connections and streams end, and what is still heard then.

use std::time::Duration;

use http::StatusCode;

use super::*;
use crate::http2::{
    Broken, Question, Reason, Receiving, Sender, Sending,
    frame::{GOAWAY, PING, RST_STREAM, put_goaway},
};

#[test]
fn trailers_that_wait_leave_the_length_open() {
    let mut bench = Bench::new();
    let mut bytes = bench.ask(1, "/", false);
    bytes.extend(body(1, b"abc", false));
    bytes.extend(headers(1, END_HEADERS | END_STREAM, b"\x00\x03x-a\x01b"));
    bench.feed(&bytes);
    assert_eq!(bench.accepted[0].body.left(), None);
    let (read, end) = bench.read(0);
    assert_eq!((read.len(), end.unwrap().unwrap().len()), (3, 1));
    let mut bytes = bench.ask(3, "/", false);
    bytes.extend(body(3, b"abc", true));
    bench.feed(&bytes);
    // It depends on how fast it comes, so it is told by the head only.
    assert_eq!(bench.accepted[1].body.left(), None);
}

#[test]
fn a_body_that_turns_out_to_be_empty_is_no_head_without_one() {
    let mut bench = Bench::new();
    let mut bytes = bench.ask(1, "/", false);
    bytes.extend(body(1, b"", true));
    bytes.extend(bench.ask(3, "/", true));
    bytes.extend(bench.ask(5, "/", false));
    bytes.extend(body(5, b"abc", true));
    bench.feed(&bytes);
    assert!(!bench.accepted[0].body.is_end());
    assert_eq!(bench.read(0), (Vec::new(), Some(Ok(HeaderMap::new()))));
    assert!(bench.accepted[0].body.is_end());
    assert!(bench.accepted[1].body.is_end());
    assert!(matches!(
        bench.accepted[2].body.poll_piece(&mut context()),
        Poll::Ready(Some(Ok(Piece::Data(_))))
    ));
    assert!(bench.accepted[2].body.is_end(), "its end is known with its last piece");
}

/// The last stream that each GOAWAY named.
fn last_told(bench: &mut Bench) -> Vec<u32> {
    let sent = bench.sent();
    let told = sent.iter().filter(|(head, _)| head.kind == GOAWAY);
    told.map(|(_, payload)| u32::from_be_bytes(*payload.first_chunk().unwrap())).collect()
}

#[test]
fn what_was_told_of_the_end_is_never_more_later() {
    let mut bench = Bench::new();
    let ask = bench.ask(5, "/", false);
    bench.feed(&ask);
    bench.connection.end();
    bench.feed(&frame(PING, ACK, 0, b"farewell"));
    let late = bench.ask(7, "/", true);
    bench.feed(&late);
    bench.feed(&frame(DATA, 0, 0, b"on no stream"));
    assert!(bench.connection.failed().is_some());
    assert_eq!(last_told(&mut bench), [0x7fff_ffff, 5, 5]);
}

#[tokio::test(start_paused = true)]
async fn streams_that_are_malformed_are_few_in_a_time() {
    let mut bench = Bench::new();
    let mut ids = (1..).step_by(2);
    for _ in 0..10 {
        for id in ids.by_ref().take(LIMITS.error_resets_max) {
            bench.feed(&headers(id, END_HEADERS | END_STREAM, b"\x82"));
        }
        assert_eq!(bench.connection.failed(), None);
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    for id in ids.take(LIMITS.error_resets_max + 1) {
        bench.feed(&headers(id, END_HEADERS | END_STREAM, b"\x82"));
    }
    assert_eq!(bench.told(GOAWAY), Some(Reason::ENHANCE_YOUR_CALM));
}

/// What a server sends, whose end of the connection may be gone.
#[derive(Clone, Default)]
struct Torn {
    script: Script,
    is_gone: Rc<Cell<bool>>,
    /// How often our side was ended.
    ended: Rc<Cell<usize>>,
}

impl Io for Torn {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        self.script.poll_fill(cx)
    }

    fn poll_send(
        &mut self,
        queue: &mut VecDeque<Bytes>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_gone.get() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        self.script.poll_send(queue, cx)
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.ended.set(self.ended.get() + 1);
        Poll::Ready(Ok(()))
    }
}

/// A client whose server is bytes, and has said what it takes.
fn client() -> (Torn, Connection<Torn>, Sender) {
    let torn = Torn::default();
    let (mut connection, sender) = Connection::client(torn.clone(), LIMITS);
    let mut settings = BytesMut::new();
    put_settings(&[], &mut settings);
    torn.script.input.borrow_mut().push_back(settings.freeze());
    assert!(connection.poll_drive(&mut context()).is_pending());
    (torn, connection, sender)
}

fn ask(sender: &Sender) -> (Sending, Receiving) {
    let headers = HeaderMap::new();
    let question = Question {
        method: &Method::GET,
        scheme: Some("http"),
        authority: "shop",
        path: Some("/"),
        protocol: None,
        headers: &headers,
    };
    sender.ask(&question, true).unwrap()
}

fn feed(torn: &Torn, bytes: &[u8]) {
    torn.script.input.borrow_mut().push_back(Bytes::copy_from_slice(bytes));
}

#[test]
fn what_came_before_sending_broke_is_heard() {
    let (torn, mut connection, sender) = client();
    let (_first, mut seen) = ask(&sender);
    assert!(connection.poll_drive(&mut context()).is_pending());
    let (_second, mut unseen) = ask(&sender);
    torn.is_gone.set(true);
    feed(&torn, &headers(1, END_HEADERS | END_STREAM, b"\x88"));
    let mut farewell = BytesMut::new();
    put_goaway(1, Reason::NO_ERROR, &mut farewell);
    feed(&torn, &farewell);
    assert!(connection.poll_drive(&mut context()).is_ready());
    let Poll::Ready(head) = seen.poll_response(&mut context()) else { panic!("no response") };
    assert_eq!(head.unwrap().status, StatusCode::OK);
    let Poll::Ready(refused) = unseen.poll_response(&mut context()) else { panic!("no end") };
    assert_eq!(refused.err(), Some(Broken::Refused));
}

#[test]
fn sending_that_broke_ends_a_connection_on_which_nothing_came() {
    let (torn, mut connection, sender) = client();
    let (_sending, mut receiving) = ask(&sender);
    torn.is_gone.set(true);
    assert!(connection.poll_drive(&mut context()).is_ready());
    assert!(connection.failed().is_some());
    let Poll::Ready(closed) = receiving.poll_response(&mut context()) else { panic!("no end") };
    assert_eq!(closed.err(), Some(Broken::Closed));
}

#[test]
fn responses_to_requests_that_were_let_go_are_passed_over() {
    let (torn, mut connection, sender) = client();
    for _ in 0..600 {
        drop(ask(&sender));
        assert!(connection.poll_drive(&mut context()).is_pending());
    }
    let (_sending, mut receiving) = ask(&sender);
    for id in [1, 3, 401, 1199] {
        feed(&torn, &headers(id, END_HEADERS, b"\x88"));
        feed(&torn, &body(id, b"late", true));
        feed(&torn, &frame(RST_STREAM, 0, id, b"\0\0\0\x08"));
    }
    feed(&torn, &headers(1201, END_HEADERS | END_STREAM, b"\x88"));
    assert!(connection.poll_drive(&mut context()).is_pending());
    assert_eq!(connection.failed(), None);
    assert!(receiving.poll_response(&mut context()).is_ready());
}

#[test]
fn a_client_is_awaited_where_only_it_can_go_on() {
    assert!(Bench::silent().connection.awaits_peer());
    let mut bench = Bench::new();
    assert!(!bench.connection.awaits_peer());
    let ask = bench.ask(1, "/", true);
    let (first, second) = ask.split_at(ask.len() - 2);
    bench.feed(first);
    assert!(bench.connection.awaits_peer(), "half a frame");
    bench.feed(second);
    assert!(!bench.connection.awaits_peer(), "there is a request");
    bench.accepted.clear();
    assert!(!bench.connection.awaits_peer());
    bench.feed(&headers(3, 0, b"\x82"));
    assert!(bench.connection.awaits_peer(), "half a block");
    bench.feed(&frame(CONTINUATION, END_HEADERS, 3, b""));
    assert!(!bench.connection.awaits_peer());
    bench.connection.end();
    bench.drive();
    assert!(bench.connection.awaits_peer(), "it was told of the end");
    bench.feed(&frame(PING, ACK, 0, b"farewell"));
    assert_eq!(last_told(&mut bench), [0x7fff_ffff, 3]);
    assert!(!bench.connection.awaits_peer());
}

#[test]
fn a_connection_that_is_closed_hears_its_peer_out() {
    let (torn, mut connection, _sender) = client();
    connection.state.borrow_mut().output.control(|output| output.put_slice(b"last"));
    torn.script.output.borrow_mut().clear();
    for _ in 0..3 {
        feed(&torn, b"whatever comes");
        assert!(connection.poll_close(&mut context()).is_pending(), "the peer did not end");
        assert_eq!(torn.script.output.borrow()[..], *b"last");
        assert!(torn.script.input.borrow().is_empty(), "it stays unread");
    }
    assert_eq!(torn.ended.get(), 1);
    feed(&torn, b"");
    assert!(matches!(connection.poll_close(&mut context()), Poll::Ready(Ok(()))));
}

#[test]
fn a_connection_whose_peer_ended_needs_not_hear_it_again() {
    let (torn, mut connection, _sender) = client();
    feed(&torn, b"");
    assert!(connection.poll_drive(&mut context()).is_ready());
    assert!(matches!(connection.poll_close(&mut context()), Poll::Ready(Ok(()))));
    assert_eq!(torn.ended.get(), 1);
}

#[test]
fn what_is_read_of_a_connection_that_is_closed_is_bounded_by_its_window() {
    let (torn, mut connection, _sender) = client();
    torn.script.stuck.set(true);
    torn.script.output.borrow_mut().clear();
    connection.state.borrow_mut().output.control(|output| output.put_slice(b"last"));
    let pieces = LIMITS.connection_window as usize / MUCH.len();
    for piece in 0..=pieces {
        feed(&torn, MUCH);
        assert!(connection.poll_close(&mut context()).is_pending());
        let is_unread = !torn.script.input.borrow().is_empty();
        assert_eq!(is_unread, piece == pieces, "after {piece} pieces");
    }
    torn.script.stuck.set(false);
    assert!(matches!(connection.poll_close(&mut context()), Poll::Ready(Ok(()))));
    assert_eq!((torn.ended.get(), &torn.script.output.borrow()[..]), (1, &b"last"[..]));
}

/// A part of what comes.
const MUCH: &[u8] = &[b'x'; 64 * 1024];
