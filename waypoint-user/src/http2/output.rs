//! What waits to be sent on a connection: heads in memory that is lent, and payloads as they are.
//!
//! **Invariant:** a connection with nothing to send holds no memory for it.
//! **Invariant:** what is written leaves in the order in which it was written.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};

use super::{
    connection::Io,
    limits::{CONTROL_BYTES_MAX, COPIED_BYTES_MAX},
};

/// What waits to be sent.
#[derive(Debug, Default)]
pub(super) struct Output {
    heads: BytesMut,
    queue: VecDeque<Bytes>,
    /// Bytes in `queue`.
    queued: usize,
    /// Bytes since `passing` was noted that are no bodies.
    control: usize,
    /// Bytes of what waited then that have not left, and how many of all that waited are no bodies.
    passing: usize,
    before: usize,
}

impl Output {
    /// How many bytes wait.
    pub(super) fn waiting(&self) -> usize {
        self.queued + self.heads.len()
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.heads.is_empty() && self.queue.is_empty()
    }

    /// Whether so much waits that nothing may be done that makes more.
    pub(super) fn is_choked(&self) -> bool {
        self.before + self.control > CONTROL_BYTES_MAX
    }

    /// Writes something that is no body.
    pub(super) fn control<T>(&mut self, write: impl FnOnce(&mut BytesMut) -> T) -> T {
        let heads = self.heads();
        let before = heads.len();
        let written = write(heads);
        self.control += self.heads.len() - before;
        written
    }

    /// Writes the head of a frame with a body, and its payload.
    pub(super) fn payload(&mut self, head: super::frame::Head, payload: Bytes) {
        let heads = self.heads();
        head.put(heads);
        if payload.len() <= COPIED_BYTES_MAX {
            heads.extend_from_slice(&payload);
            return;
        }
        self.freeze();
        self.queued += payload.len();
        self.queue.push_back(payload);
    }

    /// Sends all that waits, as far as the carrier takes it.
    pub(super) fn poll_send(
        &mut self,
        io: &mut impl Io,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.freeze();
        while !self.queue.is_empty() {
            let sent = io.poll_send(&mut self.queue, cx);
            if sent.is_pending() {
                self.note_left();
            }
            ready!(sent)?;
        }
        (self.queued, self.control, self.passing, self.before) = (0, 0, 0, 0);
        give(&mut self.heads);
        io.poll_flush(cx)
    }

    /// Notes what still waits. What is no body counts until all that waited with it has left.
    fn note_left(&mut self) {
        let left = self.queue.iter().map(Bytes::len).sum();
        self.passing = self.passing.saturating_sub(self.queued.saturating_sub(left));
        self.queued = left;
        if self.passing == 0 {
            (self.passing, self.before) = (left, std::mem::take(&mut self.control));
        }
    }

    /// Forgets all that waits.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Lets go of memory that a busy connection needed.
    pub(super) fn rest(&mut self) {
        self.queue.shrink_to(0);
    }

    /// Where heads are written.
    fn heads(&mut self) -> &mut BytesMut {
        if self.heads.capacity() - self.heads.len() < ROOM_MIN {
            if self.heads.is_empty() {
                self.heads = SPARE.with_borrow_mut(Vec::pop).unwrap_or_default();
            }
            if self.heads.capacity() - self.heads.len() < ROOM_MIN {
                self.heads.reserve(HEADS_BYTES);
            }
        }
        &mut self.heads
    }

    /// Puts the heads so far behind what waits.
    fn freeze(&mut self) {
        if !self.heads.is_empty() {
            self.queued += self.heads.len();
            self.queue.push_back(self.heads.split().freeze());
        }
    }
}

/// Gives memory for heads to whoever needs it next, unless it is much.
fn give(heads: &mut BytesMut) {
    if heads.capacity() > 0 {
        let mut heads = std::mem::take(heads);
        if heads.try_reclaim(KEPT_BYTES_MAX) {
            return;
        }
        SPARE.with_borrow_mut(|spare| {
            if spare.len() < SPARE_MAX {
                spare.push(heads);
            }
        });
    }
}

thread_local! {
    /// Memory for heads that no connection of the thread uses now.
    static SPARE: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// Pieces of it that are kept.
const SPARE_MAX: usize = 16;

/// How much of it is taken at once.
const HEADS_BYTES: usize = 8 * 1024;

/// The most of a piece of it that is kept.
const KEPT_BYTES_MAX: usize = 2 * HEADS_BYTES;

/// Room for a head that fits mostly.
const ROOM_MIN: usize = 512;
