//! One stream, as its connection knows it.

use std::{
    collections::VecDeque,
    task::{Context, Waker},
};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use super::{
    Broken, Reason, ResponseHead,
    limits::{KEPT_SHARE, SMALL_BYTES_MAX},
};

/// One stream.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a state of its own")]
pub(super) struct Entry {
    /// Why nothing more is sent or received, if something broke it.
    pub(super) broken: Option<Broken>,
    /// Whether the peer's half ended as it should.
    pub(super) receive_ended: bool,
    /// Whether that came by itself, behind nothing that waits, and nobody has heard of it.
    pub(super) end_waits: bool,
    /// Whether our half did.
    pub(super) send_ended: bool,
    /// Whether a final head was received (client) or sent (server).
    pub(super) answered: bool,
    /// Whether it counts among those that are open.
    pub(super) counts: bool,
    /// What came of the peer's half and was not taken.
    pub(super) inbox: Inbox,
    /// Responses that were not taken.
    pub(super) heads: VecDeque<ResponseHead>,
    /// The rest of the body, where its length was told.
    pub(super) left: Option<u64>,
    /// Whether the peer waits to be told to send its body.
    pub(super) awaits_leave: bool,
    /// Whether no body can come, whatever is told of its length.
    pub(super) to_head: bool,
    /// How much the peer may send at most, and how much of that now.
    pub(super) window: u32,
    pub(super) receive_window: i64,
    /// What was taken in a turn of its connection, and most bytes in a second so far.
    turn: u32,
    taken: u64,
    pub(super) fastest: u64,
    /// What was taken, and not given back to the peer.
    pub(super) untold: u32,
    /// How much we may send.
    pub(super) send_window: i64,
    /// Whether it is among those that wait for room on the connection, and what it was granted.
    pub(super) waits: bool,
    pub(super) granted: usize,
    /// Whether somebody takes the peer's half, and whether somebody sends ours.
    pub(super) has_reader: bool,
    pub(super) has_writer: bool,
    /// Who waits for the peer's half, and who waits for room for ours.
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
}

impl Entry {
    /// A stream whose peer may send, and be sent, so much.
    pub(super) fn new(receive_window: u32, send_window: u32) -> Self {
        Self {
            broken: None,
            receive_ended: false,
            end_waits: false,
            send_ended: false,
            answered: false,
            counts: true,
            inbox: Inbox::default(),
            heads: VecDeque::new(),
            left: None,
            awaits_leave: false,
            to_head: false,
            window: receive_window,
            receive_window: i64::from(receive_window),
            turn: 0,
            taken: 0,
            fastest: 0,
            untold: 0,
            send_window: i64::from(send_window),
            waits: false,
            granted: 0,
            has_reader: true,
            has_writer: true,
            reader: None,
            writer: None,
        }
    }

    /// Whether frames may still be exchanged on it.
    pub(super) fn is_open(&self) -> bool {
        self.broken.is_none() && !(self.receive_ended && self.send_ended)
    }

    /// Counts what is taken in a turn.
    pub(super) fn count(&mut self, taken: u64, turn: u32) {
        if std::mem::replace(&mut self.turn, turn) != turn {
            self.taken = 0;
        }
        self.taken += taken;
    }

    /// What was taken in a turn.
    pub(super) fn taken_in(&self, turn: u32) -> u64 {
        if self.turn == turn { self.taken } else { 0 }
    }

    /// Ends it, and tells all who wait.
    pub(super) fn break_off(&mut self, broken: Broken) {
        if self.broken.is_none() {
            self.broken = Some(broken);
        }
        self.wake();
    }

    /// Wakes all who wait.
    pub(super) fn wake(&mut self) {
        self.wake_reader();
        self.wake_writer();
    }

    pub(super) fn wake_reader(&mut self) {
        if let Some(reader) = &self.reader {
            reader.wake_by_ref();
        }
    }

    pub(super) fn wake_writer(&mut self) {
        if let Some(writer) = &self.writer {
            writer.wake_by_ref();
        }
    }
}

/// Keeps who waits.
pub(super) fn wait(place: &mut Option<Waker>, cx: &Context<'_>) {
    match place {
        Some(known) => known.clone_from(cx.waker()),
        None => *place = Some(cx.waker().clone()),
    }
}

/// What came of a body and was not taken.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// Pieces, the first of which is taken next.
    first: Bytes,
    rest: VecDeque<Bytes>,
    /// Small pieces behind them, put together.
    small: BytesMut,
    /// How many bytes all of them have.
    len: usize,
    trailers: Option<Box<HeaderMap>>,
}

impl Inbox {
    /// Adds a piece of what was read, of which `whole` bytes share its memory.
    pub(super) fn add(&mut self, piece: Bytes, whole: usize) {
        self.len += piece.len();
        if self.first.is_empty() && self.rest.is_empty() && self.small.is_empty() {
            self.first = own(piece, whole);
        } else if piece.len() <= SMALL_BYTES_MAX {
            self.small.extend_from_slice(&piece);
        } else {
            if !self.small.is_empty() {
                self.rest.push_back(self.small.split().freeze());
            }
            self.rest.push_back(own(piece, whole));
        }
    }

    /// Adds the trailers.
    pub(super) fn end(&mut self, trailers: HeaderMap) {
        if !trailers.is_empty() {
            self.trailers = Some(Box::new(trailers));
        }
    }

    /// The next piece, or so many bytes of it.
    pub(super) fn take(&mut self, most: usize) -> Option<Bytes> {
        if self.len == 0 {
            return None;
        }
        let mut piece = if !self.first.is_empty() {
            std::mem::take(&mut self.first)
        } else if let Some(piece) = self.rest.pop_front() {
            piece
        } else {
            std::mem::take(&mut self.small).freeze()
        };
        if piece.len() > most {
            self.first = piece.split_off(most);
        }
        self.len -= piece.len();
        Some(piece)
    }

    /// The trailers, behind all pieces.
    pub(super) fn take_trailers(&mut self) -> Option<HeaderMap> {
        self.trailers.take().map(|trailers| *trailers)
    }

    /// Whether no trailers wait.
    pub(super) fn is_untrailed(&self) -> bool {
        self.trailers.is_none()
    }

    /// How many bytes wait.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0 && self.trailers.is_none()
    }

    /// Forgets all of it; returns how much it was.
    pub(super) fn clear(&mut self) -> usize {
        std::mem::take(self).len
    }
}

/// A piece, in memory of its own where it is a small part of what it was read with.
pub(super) fn own(piece: Bytes, whole: usize) -> Bytes {
    if piece.len() < whole / KEPT_SHARE { Bytes::copy_from_slice(&piece) } else { piece }
}

/// What a stream broke with that was reset for a fault of the peer.
pub(super) fn malformed(reason: Reason) -> Broken {
    Broken::Malformed(reason)
}
