//! Peers that say a lot, which asks nothing of anybody, and read their answers.

use http::StatusCode;

use super::*;
use crate::http2::{
    frame::{ENABLE_PUSH, HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE, PING, SETTING_BYTES},
    limits::CONTROL_BYTES_MAX,
};

/// What a peer of a [`Chatter`] did and saw.
#[derive(Default)]
struct Seen {
    /// How often it still says the same.
    left: Cell<usize>,
    /// Bytes that it read, and the most that ever waited for it.
    read: Cell<usize>,
    waited: Cell<usize>,
}

/// A peer that says the same over and over, and reads so many bytes each time it is written to.
struct Chatter {
    said: Bytes,
    reads: usize,
    has_room: bool,
    seen: Rc<Seen>,
}

impl Io for Chatter {
    fn poll_fill(&mut self, _: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let Some(left) = self.seen.left.get().checked_sub(1) else { return Poll::Pending };
        self.seen.left.set(left);
        Poll::Ready(Ok(self.said.clone()))
    }

    fn poll_send(
        &mut self,
        queue: &mut VecDeque<Bytes>,
        _: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let waiting: usize = queue.iter().map(Bytes::len).sum();
        self.seen.waited.set(self.seen.waited.get().max(waiting));
        self.has_room = !self.has_room;
        if !self.has_room {
            return Poll::Pending;
        }
        let mut room = self.reads;
        while let Some(first) = queue.front_mut().filter(|_| room > 0) {
            let taken = first.len().min(room);
            first.advance(taken);
            room -= taken;
            if first.is_empty() {
                queue.pop_front();
            }
        }
        self.seen.read.set(self.seen.read.get() + self.reads - room);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The most that ever waits for a client that says `said` a hundred times, and reads as fast as
/// this, until it has read answers of so many bytes each time.
fn waits(said: &[BytesMut], reads: usize, answers: usize) -> usize {
    const TIMES: usize = 100;
    let seen = Rc::new(Seen::default());
    let peer = Chatter { said: Bytes::new(), reads, has_room: false, seen: Rc::clone(&seen) };
    let mut first = BytesMut::from(PREFACE);
    put_settings(&[], &mut first);
    put_settings_ack(&mut first);
    let mut connection = Connection::server(peer, LIMITS).after(first.freeze());
    let greeting = until_nothing_waits(&mut connection, &seen);
    connection.io.said = said.concat().into();
    seen.left.set(TIMES);
    let read = until_nothing_waits(&mut connection, &seen);
    assert_eq!(seen.left.get(), 0, "not all of it was read");
    assert_eq!(read - greeting, TIMES * answers);
    assert_eq!(connection.failed(), None);
    assert!(connection.state.borrow().settings_waits.is_empty());
    seen.waited.get()
}

/// Goes on until all that was said is answered and read; returns how many bytes were.
fn until_nothing_waits(connection: &mut Connection<Chatter>, seen: &Seen) -> usize {
    loop {
        let before = (seen.read.get(), seen.left.get());
        for _ in 0..4 {
            assert!(connection.poll_accept(&mut context()).is_pending());
        }
        if before == (seen.read.get(), seen.left.get()) {
            assert!(connection.state.borrow().output.is_empty());
            return seen.read.get();
        }
    }
}

/// SETTINGS that change what may be remembered, and how much may be sent.
fn settings(table: u32, window: u32) -> BytesMut {
    let mut bytes = BytesMut::new();
    put_settings(&[(HEADER_TABLE_SIZE, table), (INITIAL_WINDOW_SIZE, window)], &mut bytes);
    bytes
}

#[test]
fn answers_to_a_client_that_says_a_lot_wait_within_bounds() {
    let pings = vec![frame(PING, 0, 0, b"12345678"); 1000];
    let changes = [settings(0, 0), settings(4096, 65_535)];
    let changes: Vec<_> = changes.iter().cycle().take(1000).cloned().collect();
    for (said, each) in [(pings, 17), (changes, 9)] {
        let answers = each * said.len();
        // Who reads everything at once makes no more wait than the answers to what was read once.
        let fast = waits(&said, usize::MAX / 2, answers);
        assert!(fast <= 2 * answers, "{fast} bytes wait for who reads");
        let slow = waits(&said, 1000, answers);
        let bounds = CONTROL_BYTES_MAX / 2..=CONTROL_BYTES_MAX + each;
        assert!(bounds.contains(&slow), "{slow} bytes wait for who reads slowly");
    }
}

#[test]
fn settings_that_change_all_the_time_leave_nothing_behind() {
    let mut bench = Bench::new();
    let ask = bench.ask(1, "/", false);
    bench.feed(&ask);
    for _ in 0..10_000 {
        bench.feed(&settings(0, 0));
        bench.feed(&settings(4096, 65_535));
    }
    let acknowledged = bench.sent();
    assert_eq!(acknowledged.len(), 20_000);
    assert!(acknowledged.iter().all(|(head, _)| head.kind == SETTINGS && head.has(ACK)));
    bench.accepted[0].reply.respond(StatusCode::OK, &HeaderMap::new(), true).unwrap();
    let sent = bench.sent();
    // The least size and the last of the table, and the status.
    assert!(matches!(&sent[..], [(head, block)] if head.kind == HEADERS && block.len() <= 8));
}

/// The SETTINGS that one side sends first.
fn greeting(script: &Script) -> Vec<(u16, u32)> {
    let output = script.output.borrow_mut().split().freeze();
    let mut output =
        output.strip_prefix(PREFACE).map_or(output.clone(), |rest| output.slice_ref(rest));
    let head = Head::parse(&output).unwrap();
    assert_eq!((head.kind, head.flags, head.id), (SETTINGS, 0, 0));
    output.advance(crate::http2::frame::HEAD_BYTES);
    let settings = output.split_to(head.len);
    let each = settings.chunks_exact(SETTING_BYTES).map(|mut one| (one.get_u16(), one.get_u32()));
    each.collect()
}

#[test]
fn an_endpoint_is_told_first_that_nothing_may_be_pushed() {
    let pushes = |(name, _): &(u16, u32)| *name == ENABLE_PUSH;
    let script = Script::default();
    let (mut connection, _sender) = Connection::client(script.clone(), LIMITS);
    assert!(connection.poll_drive(&mut context()).is_pending());
    let told: Vec<_> = greeting(&script).into_iter().filter(pushes).collect();
    assert_eq!(told, [(ENABLE_PUSH, 0)]);
    // It is a client's to say.
    let bench = Bench::silent();
    let mut connection = bench.connection;
    assert!(connection.poll_accept(&mut context()).is_pending());
    assert!(!greeting(&bench.script).iter().any(pushes));
}
