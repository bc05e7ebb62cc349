//! Clients of HTTP/2: whatever they send, in whatever pieces, the connection answers it or ends,
//! and holds no stream that nobody holds.
#![no_main]

use std::{
    collections::VecDeque,
    io,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use libfuzzer_sys::fuzz_target;
use waypoint_user::http2::{Accepted, Connection, Io, Limits};

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

/// Does with a request what its number says.
fn use_up(accepted: &mut Accepted, cx: &mut Context<'_>) -> bool {
    let choice = accepted.head.as_ref().map_or(0, |head| head.headers.len() % 4);
    while choice != 1 && matches!(accepted.body.poll_piece(cx), Poll::Ready(Some(Ok(_)))) {}
    match choice {
        0 => accepted.reply.respond(StatusCode::OK, &HeaderMap::new(), true).is_ok(),
        1 => false,
        2 => accepted.reply.respond(StatusCode::OK, &HeaderMap::new(), false).is_ok(),
        _ => accepted.reply.poll_send(&mut Bytes::from_static(&[0; 5000]), true, cx).is_pending(),
    }
}

fuzz_target!(|given: (u8, &[u8])| {
    let (cut, bytes) = given;
    let cx = &mut Context::from_waker(Waker::noop());
    let mut all: VecDeque<_> = [Bytes::from_static(BEGINNING)].into();
    all.extend(bytes.chunks(usize::from(cut).max(1)).map(Bytes::copy_from_slice));
    let mut connection = Connection::server(Script(all), LIMITS);
    let mut kept = Vec::new();
    while let Poll::Ready(Some(mut accepted)) = connection.poll_accept(cx) {
        if use_up(&mut accepted, cx) {
            kept.push(accepted);
        }
        assert!(connection.streams() <= 2 * LIMITS.streams_max as usize);
    }
    kept.clear();
    let _pending = connection.poll_accept(cx);
    assert_eq!(connection.streams(), 0);
});

/// The preface, and SETTINGS that say nothing.
const BEGINNING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

const LIMITS: Limits = Limits {
    streams_max: 8,
    stream_window: 64 * 1024,
    connection_window: 128 * 1024,
    payload_max: 16 * 1024,
    list_bytes_max: 16 * 1024,
    send_bytes_max: 64 * 1024,
    unseen_resets_max: 4,
    error_resets_max: 16,
    early_resets_max: 16,
    grants_changes: true,
};
