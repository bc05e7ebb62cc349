use std::{sync::atomic::Ordering, task::Waker};

use bytes::Bytes;
use http::{HeaderMap, Method};
use tokio::io::DuplexStream;

use super::*;
use crate::{
    hbone::limits::{STREAM_WINDOW_BYTES, WINDOW_GROWTH_BYTES_MAX},
    http2::{Accepted, Carried, Question, Receiving, Sender, Sending},
    telemetry::metrics::Registry,
};

const MS: Duration = Duration::from_millis(1);

#[tokio::test]
async fn a_window_grows_when_it_is_filled_faster_than_before() {
    let settings = Settings::default();
    let mut keeper = Keeper::new(&settings);
    let window = CONNECTION_WINDOW_BYTES as usize;
    assert_eq!(keeper.wanted(window / 2, MS), None, "half full");
    assert_eq!(keeper.wanted(window, MS), Some(2 * CONNECTION_WINDOW_BYTES));
    assert_eq!(keeper.wanted(window, MS), None, "half full again");
    assert_eq!(keeper.wanted(2 * window, 3 * MS), None, "slower: more would only queue");
    assert_eq!(keeper.wanted(2 * window, MS), Some(4 * CONNECTION_WINDOW_BYTES));
    assert_eq!(keeper.wanted(100 * window, MS), Some(CONNECTION_WINDOW_BYTES_MAX));
    assert_eq!(keeper.wanted(1000 * window, MS), None, "as large as can be");
    let taken = (CONNECTION_WINDOW_BYTES_MAX - CONNECTION_WINDOW_BYTES) as usize;
    assert_eq!(settings.growth.load(Ordering::Relaxed), WINDOW_GROWTH_BYTES_MAX - taken);
    drop(keeper);
    assert_eq!(settings.growth.load(Ordering::Relaxed), WINDOW_GROWTH_BYTES_MAX);
}

#[tokio::test]
async fn what_all_may_grow_by_is_bounded() {
    let registry = Registry::new();
    let settings = Settings::new(&registry);
    settings.growth.store(CONNECTION_WINDOW_BYTES as usize, Ordering::Relaxed);
    let (mut one, mut other) = (Keeper::new(&settings), Keeper::new(&settings));
    let window = CONNECTION_WINDOW_BYTES as usize;
    assert_eq!(one.wanted(window, MS), Some(2 * CONNECTION_WINDOW_BYTES));
    assert_eq!(other.wanted(window, MS), None);
    assert!(
        registry.encode().contains("waypoint_limit_hits_total{limit=\"hbone_window_growth\"} 1")
    );
    drop(one);
    assert_eq!(other.wanted(window, MS), Some(2 * CONNECTION_WINDOW_BYTES));
}

/// Both sides of a connection, driven by hand.
struct Sides {
    server: Connection<Carried<DuplexStream>>,
    client: Connection<Carried<DuplexStream>>,
    sender: Sender,
    accepted: Vec<Accepted>,
}

impl Sides {
    fn new(settings: &Settings) -> Self {
        let (ours, theirs) = tokio::io::duplex(8 << 20);
        let server = Connection::server(Carried::new(ours), settings.accepting());
        let (client, sender) = Connection::client(Carried::new(theirs), settings.opening());
        let mut sides = Self { server, client, sender, accepted: Vec::new() };
        sides.drive_client();
        sides.drive_server();
        sides.drive_client();
        sides
    }

    fn drive_client(&mut self) {
        assert!(self.client.poll_drive(&mut context()).is_pending());
    }

    fn drive_server(&mut self) {
        while let Poll::Ready(Some(accepted)) = self.server.poll_accept(&mut context()) {
            self.accepted.push(accepted);
        }
    }

    /// Sends on a new stream as much as can be sent while nothing is taken; how much that is.
    fn fill(&mut self) -> (usize, Sending, Receiving) {
        let headers = HeaderMap::new();
        let question = Question {
            method: &Method::CONNECT,
            scheme: None,
            authority: "shop:80",
            path: None,
            protocol: None,
            headers: &headers,
        };
        let (mut sending, receiving) = self.sender.ask(&question, false).unwrap();
        let mut sent = 0;
        while let Poll::Ready(room) = sending.poll_room(&mut context()) {
            let mut piece = Bytes::from(vec![1; room.unwrap()]);
            sent += piece.len();
            sending.send(&mut piece, false).unwrap();
            self.drive_client();
            self.drive_server();
        }
        (sent, sending, receiving)
    }

    fn take_all(&mut self) {
        for accepted in &mut self.accepted {
            while let Poll::Ready(piece) = accepted.body.poll_bytes(usize::MAX, &mut context()) {
                piece.unwrap().unwrap();
            }
        }
    }
}

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

#[tokio::test]
async fn a_peer_that_fills_its_window_within_a_round_trip_gets_a_larger_one() {
    let settings = Settings::default();
    tokio::task::unconstrained(async {
        let (mut sides, mut keeper) = (Sides::new(&settings), Keeper::new(&settings));
        let streams: Vec<_> = (0..WINDOW_RATIO).map(|_| sides.fill()).collect();
        let full = STREAM_WINDOW_BYTES as usize;
        assert!(streams.iter().all(|(sent, ..)| *sent == full));
        assert_eq!(sides.fill().0, 0, "the connection is full");
        keeper.ping(&sides.server);
        sides.take_all();
        sides.drive_server();
        sides.drive_client();
        sides.drive_server();
        assert!(keeper.poll(&sides.server, &mut context()).is_pending());
        assert_eq!(keeper.window, 2 * CONNECTION_WINDOW_BYTES);
        sides.drive_server();
        sides.drive_client();
        assert_eq!(sides.fill().0, 2 * full);
    })
    .await;
}
