//! Servers of HTTP/2: whatever they send, in whatever pieces, a response comes, or what breaks it
//! off, and nobody reads more of a body than there is.
#![no_main]

use std::{
    collections::VecDeque,
    io,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderMap, Method};
use libfuzzer_sys::fuzz_target;
use waypoint_user::http2::{Connection, Io, Limits, Piece, Question, Receiving};

/// What comes, and a peer that reads all.
struct Script(VecDeque<Bytes>);

impl Io for Script {
    fn poll_fill(&mut self, _: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        self.0.pop_front().map_or(Poll::Pending, |bytes| Poll::Ready(Ok(bytes)))
    }

    fn poll_send(
        &mut self,
        queue: &mut VecDeque<Bytes>,
        _: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        queue.clear();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The bytes of a response that has come.
fn read(receiving: &mut Receiving, cx: &mut Context<'_>) -> usize {
    while let Poll::Ready(Ok(head)) = receiving.poll_response(cx) {
        if !head.status.is_informational() {
            break;
        }
    }
    let mut bytes = 0;
    while let Poll::Ready(Some(Ok(piece))) = receiving.poll_piece(cx) {
        bytes += if let Piece::Data(piece) = piece { piece.len() } else { 0 };
    }
    bytes
}

fuzz_target!(|given: (u8, &[u8])| {
    let (cut, bytes) = given;
    let cx = &mut Context::from_waker(Waker::noop());
    let mut all: VecDeque<_> = [Bytes::from_static(BEGINNING)].into();
    all.extend(bytes.chunks(usize::from(cut).max(1)).map(Bytes::copy_from_slice));
    let (mut connection, sender) = Connection::client(Script(all), LIMITS);
    let headers = HeaderMap::new();
    let question = Question {
        method: &Method::GET,
        scheme: Some("http"),
        authority: "shop",
        path: Some("/"),
        protocol: None,
        headers: &headers,
    };
    let mut asked: Vec<_> = (0..3).filter_map(|_| sender.ask(&question, true).ok()).collect();
    let _pending = connection.poll_drive(cx);
    let came: usize = asked.iter_mut().map(|(_, receiving)| read(receiving, cx)).sum();
    assert!(came <= bytes.len());
    asked.clear();
    assert_eq!(sender.streams(), 0);
});

/// SETTINGS that say nothing.
const BEGINNING: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

const LIMITS: Limits = Limits {
    streams_max: 0,
    stream_window: 64 * 1024,
    connection_window: 128 * 1024,
    payload_max: 16 * 1024,
    list_bytes_max: 16 * 1024,
    send_bytes_max: 64 * 1024,
    unseen_resets_max: 4,
    error_resets_max: 16,
    early_resets_max: 16,
    grants_changes: false,
};
