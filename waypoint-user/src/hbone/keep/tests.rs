use std::task::Waker;

use bytes::Bytes;
use http::{HeaderMap, Method};
use tokio::io::DuplexStream;

use super::*;
use crate::{
    hbone::limits::{STREAM_WINDOW_BYTES, WINDOW_GROWTH_BYTES_MAX, WINDOW_RATIO},
    http2::{Accepted, Allowance, Carried, Question, Receiving, Sender, Sending},
    telemetry::metrics::Registry,
};

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

/// A round trip in which as many streams as fit are filled, and all of them is taken.
async fn fill_all(settings: &Settings) -> Sides {
    tokio::task::unconstrained(async {
        let (mut sides, mut keeper) = (Sides::new(settings), Keeper::new(settings));
        let streams: Vec<_> = (0..WINDOW_RATIO).map(|_| sides.fill()).collect();
        let full = STREAM_WINDOW_BYTES as usize;
        assert!(streams.iter().all(|(sent, ..)| *sent == full));
        assert_eq!(sides.fill().0, 0, "the connection is full");
        keeper.growth.ask(&sides.server);
        sides.take_all();
        sides.drive_server();
        sides.drive_client();
        sides.drive_server();
        assert!(keeper.poll(&sides.server, &mut context()).is_pending());
        sides.drive_server();
        sides.drive_client();
        assert_eq!(sides.sender.broken(), None);
        drop(streams);
        sides
    })
    .await
}

#[tokio::test]
async fn a_peer_that_fills_its_windows_within_a_round_trip_gets_larger_ones() {
    let settings = Settings::default();
    let sides = fill_all(&settings).await;
    let grown = (WINDOW_RATIO * STREAM_WINDOW_BYTES) as usize;
    assert_eq!(settings.growth.left(), WINDOW_GROWTH_BYTES_MAX - grown);
    drop(sides);
    assert_eq!(settings.growth.left(), WINDOW_GROWTH_BYTES_MAX);
}

#[tokio::test]
async fn windows_that_may_not_grow_are_counted() {
    let registry = Registry::new();
    let settings = Settings { growth: Allowance::new(0), ..Settings::new(&registry) };
    fill_all(&settings).await;
    let line = "waypoint_limit_hits_total{limit=\"hbone_window_growth\"} 1";
    assert!(registry.encode().contains(line));
}
