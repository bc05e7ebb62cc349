//! Bodies as they come (RFC 9113 section 6.1), within what the peer was allowed to send.
//!
//! **Invariant:** all that comes counts, whether anybody takes it or not; what nobody will take is
//! given back at once.

use std::task::{Context, Poll};

use bytes::{Buf, Bytes};

use crate::http2::{
    Broken, Piece, Reason,
    entry::wait,
    frame::{END_STREAM, Head, PADDED, put_window_update},
    limits::EMPTY_FRAMES_MAX,
};

use super::{
    Fatal, State,
    receive::{ON_CONNECTION, ON_IDLE},
};

/// The payload of DATA that comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Payload {
    id: u32,
    /// Bytes of the body, and of padding behind it, that are still to come.
    left: usize,
    padding: usize,
    ends: bool,
    /// Whether the body is wanted.
    wanted: bool,
}

impl State {
    /// Begins a payload, of which all that tells how long it is, is there.
    pub(super) fn begin_payload(&mut self, head: Head, input: &mut Bytes) -> Result<(), Fatal> {
        if head.id == 0 {
            return Err(ON_CONNECTION);
        }
        if self.is_idle(head.id) {
            return Err(ON_IDLE);
        }
        let mut overhead = 0;
        if head.has(PADDED) && head.len > 0 {
            overhead = 1 + usize::from(input.get_u8());
        }
        let is_short = head.has(PADDED) && overhead == 0;
        let Some(body) = head.len.checked_sub(overhead).filter(|_| !is_short) else {
            return Err(Fatal(Reason::PROTOCOL_ERROR, "more padding than there is room for"));
        };
        self.receive_window -= bytes(head.len);
        if self.receive_window < 0 {
            return Err(Fatal(Reason::FLOW_CONTROL_ERROR, "more came than there was room for"));
        }
        let ends = head.has(END_STREAM);
        self.note_empty(body == 0 && !ends)?;
        let wanted = self.admit(head, body)?;
        self.give_back(if wanted { overhead } else { head.len });
        let padding = overhead.saturating_sub(1);
        self.payload = Some(Payload { id: head.id, left: body, padding, ends, wanted });
        // What is empty is over at once.
        self.take_payload(&mut Bytes::new(), 0);
        Ok(())
    }

    /// Whether a stream takes a payload with so much of a body.
    fn admit(&mut self, head: Head, body: usize) -> Result<bool, Fatal> {
        let Some(entry) = self.streams.get_mut(&head.id) else {
            if !self.is_ignored(head.id) {
                self.breach(head.id, Reason::STREAM_CLOSED)?;
            }
            return Ok(false);
        };
        if entry.broken.is_some() {
            return Ok(false);
        }
        if entry.receive_ended {
            self.breach(head.id, Reason::STREAM_CLOSED)?;
            return Ok(false);
        }
        entry.receive_window -= bytes(head.len);
        let left = entry.left.map(|left| left.checked_sub(body as u64));
        let is_too_long = left == Some(None);
        let is_too_short = head.has(END_STREAM) && left.flatten().is_some_and(|left| left > 0);
        let is_first = self.role == super::Role::Client && !entry.answered;
        if entry.receive_window < 0 {
            self.breach(head.id, Reason::FLOW_CONTROL_ERROR)?;
            return Ok(false);
        }
        if is_too_long || is_too_short || is_first {
            self.breach(head.id, Reason::PROTOCOL_ERROR)?;
            return Ok(false);
        }
        entry.left = left.flatten();
        entry.untold += u32::try_from(head.len - body).unwrap_or_default();
        Ok(true)
    }

    /// Takes what is there of a payload.
    pub(super) fn take_payload(&mut self, input: &mut Bytes, whole: usize) {
        let Some(mut payload) = self.payload else { return };
        let piece = input.split_to(payload.left.min(input.len()));
        payload.left -= piece.len();
        if !piece.is_empty() && payload.wanted {
            self.deliver(payload.id, piece, whole);
        }
        if payload.left == 0 {
            let passed = payload.padding.min(input.len());
            input.advance(passed);
            payload.padding -= passed;
        }
        let is_done = payload.left == 0 && payload.padding == 0;
        self.payload = (!is_done).then_some(payload);
        if is_done && payload.ends && payload.wanted {
            if let Some(entry) = self.streams.get_mut(&payload.id) {
                entry.end_waits = entry.inbox.is_empty();
            }
            self.end_receiving(payload.id);
        }
    }

    /// How much is still to come of a payload of a stream that has begun to come.
    pub(in crate::http2) fn coming(&self, id: u32) -> usize {
        let payload = self.payload.filter(|payload| payload.id == id && payload.wanted);
        payload.map_or(0, |payload| payload.left)
    }

    fn deliver(&mut self, id: u32, piece: Bytes, whole: usize) {
        let entry = self.streams.get_mut(&id);
        match entry.filter(|entry| entry.has_reader && entry.broken.is_none()) {
            Some(entry) => {
                entry.inbox.add(piece, whole);
                entry.wake_reader();
            }
            None => self.give_back(piece.len()),
        }
    }

    /// Notes that the peer's half of a stream ended.
    pub(super) fn end_receiving(&mut self, id: u32) {
        if let Some(entry) = self.streams.get_mut(&id).filter(|entry| entry.broken.is_none()) {
            entry.receive_ended = true;
            entry.wake_reader();
            self.settle(id);
        }
    }

    /// The next piece of a body, or its trailers.
    pub(in crate::http2) fn take_piece(&mut self, id: u32) -> Option<Piece> {
        if let Some(bytes) = self.take_bytes(id, usize::MAX) {
            return Some(Piece::Data(bytes));
        }
        self.streams.get_mut(&id)?.inbox.take_trailers().map(Piece::Trailers)
    }

    /// The next bytes of a body, so many at most. What is taken may come again.
    pub(in crate::http2) fn take_bytes(&mut self, id: u32, most: usize) -> Option<Bytes> {
        let entry = self.streams.get_mut(&id)?;
        let piece = entry.inbox.take(most)?;
        let taken = piece.len();
        entry.count(taken as u64, self.pulse.turn);
        if !entry.receive_ended && entry.broken.is_none() {
            entry.untold += u32::try_from(taken).unwrap_or_default();
            if entry.untold >= entry.window / 2 {
                let more = std::mem::take(&mut entry.untold);
                entry.receive_window += i64::from(more);
                self.output.control(|output| put_window_update(id, more, output));
                self.wake_driver();
            }
        }
        self.pulse.taken += taken as u64;
        self.give_back(taken);
        Some(piece)
    }

    /// Whether nothing comes behind what was taken, and what broke it, if something did.
    pub(in crate::http2) fn poll_end(&mut self, id: u32, cx: &Context<'_>) -> Poll<Option<Broken>> {
        let Some(entry) = self.streams.get_mut(&id) else {
            return Poll::Ready(Some(Broken::Closed));
        };
        if entry.receive_ended || entry.broken.is_some() {
            entry.end_waits = false;
            return Poll::Ready(entry.broken.filter(|_| !entry.receive_ended));
        }
        wait(&mut entry.reader, cx);
        if entry.awaits_leave {
            self.give_leave(id);
        }
        Poll::Pending
    }

    /// Lets the peer send so much more on the connection. It is told once that is as much as it may
    /// still send: what waits on streams that nobody takes is no longer counted on.
    pub(in crate::http2) fn give_back(&mut self, taken: usize) {
        self.untold += self.withdraw(u32::try_from(taken).unwrap_or_default());
        let is_due = self.untold > 0 && i64::from(self.untold) >= self.receive_window;
        if is_due && self.failed.is_none() {
            let more = std::mem::take(&mut self.untold);
            self.receive_window += i64::from(more);
            self.output.control(|output| put_window_update(0, more, output));
            self.wake_driver();
        }
    }

    /// Counts frames without content that follow each other.
    pub(super) fn note_empty(&mut self, is_empty: bool) -> Result<(), Fatal> {
        self.empty_frames = if is_empty { self.empty_frames + 1 } else { 0 };
        if self.empty_frames > EMPTY_FRAMES_MAX {
            return Err(Fatal(Reason::ENHANCE_YOUR_CALM, "too many frames are empty"));
        }
        Ok(())
    }
}

/// A number of bytes, of which a window is changed.
fn bytes(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
