//! Header blocks as they come (RFC 9113 sections 4.3, 6.2 and 6.10), and the messages that they
//! begin or end.
//!
//! **Invariant:** every block is decoded, whatever becomes of its stream: the blocks after it build
//! on it.

use bytes::{Buf, Bytes, BytesMut};
use http::StatusCode;

use crate::http2::{
    Reason,
    entry::{Entry, own},
    frame::{
        END_HEADERS, END_STREAM, HAS_PRIORITY, HEADERS, Head, ID_MASK, PADDED, number, put_reset,
    },
    hpack::Outcome,
    limits::{BLOCK_FRAMES_MAX, BLOCK_GROWTH_MAX, INTERIM_MAX},
    message::Draft,
    server::Fresh,
};

use super::{
    Fatal, Going, Role, State,
    receive::{LENGTH, ON_CONNECTION, ON_IDLE, PRIORITY_BYTES},
};

/// A header block of which more must come.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) id: u32,
    flags: Flags,
    bytes: BytesMut,
    frames: usize,
}

/// What the first frame of a block says.
#[derive(Clone, Copy, Debug)]
struct Flags {
    /// Whether the stream ends with it.
    ends: bool,
    /// Whether the stream is told to depend on itself.
    loops: bool,
}

/// A decoded block.
struct Fields {
    draft: Draft,
    is_too_large: bool,
    flags: Flags,
}

impl State {
    pub(super) fn take_headers(
        &mut self,
        head: Head,
        mut payload: Bytes,
        whole: usize,
    ) -> Result<(), Fatal> {
        if head.id == 0 {
            return Err(ON_CONNECTION);
        }
        if head.has(PADDED) {
            let padding = if payload.is_empty() { return Err(LENGTH) } else { payload.get_u8() };
            let Some(rest) = payload.len().checked_sub(usize::from(padding)) else {
                return Err(Fatal(Reason::PROTOCOL_ERROR, "more padding than there is room for"));
            };
            payload.truncate(rest);
        }
        let mut flags = Flags { ends: head.has(END_STREAM), loops: false };
        if head.has(HAS_PRIORITY) {
            if payload.len() < PRIORITY_BYTES {
                return Err(LENGTH);
            }
            flags.loops = number(&payload).is_some_and(|on| on & ID_MASK == head.id);
            payload.advance(PRIORITY_BYTES);
        }
        if head.has(END_HEADERS) {
            return self.take_block(head.id, flags, &own(payload, whole));
        }
        let bytes = BytesMut::from(&*payload);
        self.block = Some(Block { id: head.id, flags, bytes, frames: 1 });
        Ok(())
    }

    pub(super) fn take_continuation(&mut self, head: Head, payload: &[u8]) -> Result<(), Fatal> {
        let Some(mut block) = self.block.take() else { return Ok(()) };
        block.bytes.extend_from_slice(payload);
        block.frames += 1;
        if head.has(END_HEADERS) {
            return self.take_block(block.id, block.flags, &block.bytes.freeze());
        }
        let most = self.limits.list_bytes_max.saturating_mul(BLOCK_GROWTH_MAX);
        if block.bytes.len() > most || block.frames > BLOCK_FRAMES_MAX {
            return Err(Fatal(Reason::ENHANCE_YOUR_CALM, "a header block has no end"));
        }
        self.block = Some(block);
        Ok(())
    }

    fn take_block(&mut self, id: u32, flags: Flags, block: &Bytes) -> Result<(), Fatal> {
        let mut draft = Draft::default();
        let most = self.limits.list_bytes_max;
        let outcome = self.decoder.decode(block, most, &mut |field| draft.see(field));
        let outcome = outcome.map_err(|cause| {
            tracing::debug!(%cause, "a header block cannot be decoded");
            Fatal(Reason::COMPRESSION_ERROR, "a header block cannot be decoded")
        })?;
        let fields = Fields { draft, is_too_large: outcome == Outcome::TooLarge, flags };
        match self.streams.get(&id) {
            Some(entry) if entry.broken.is_some() => self.take_late(id),
            Some(entry) if entry.receive_ended => self.breach(id, Reason::STREAM_CLOSED),
            Some(_) if flags.loops => self.breach(id, Reason::PROTOCOL_ERROR),
            Some(entry) if self.role == Role::Client && !entry.answered => {
                self.take_response(id, fields)
            }
            Some(_) => self.take_trailers(id, fields),
            None if !self.is_idle(id) => self.take_late(id),
            None if self.role == Role::Server && id % 2 == 1 => self.take_request(id, fields),
            None => Err(ON_IDLE),
        }
    }

    /// Fields on a stream that is gone (RFC 9113 section 5.1).
    fn take_late(&mut self, id: u32) -> Result<(), Fatal> {
        if self.is_ignored(id) {
            return Ok(());
        }
        Err(Fatal(Reason::STREAM_CLOSED, "fields on a stream that had ended"))
    }

    fn take_request(&mut self, id: u32, fields: Fields) -> Result<(), Fatal> {
        self.last_of_peer = id;
        let Fields { draft, is_too_large, flags } = fields;
        if matches!(self.going, Going::Told(last) if id > last) {
            return Ok(());
        }
        let most = usize::try_from(self.limits.streams_max).unwrap_or(usize::MAX);
        // Those that were reset may take a moment to be gone.
        if self.open >= most || self.streams.len() >= 2 * most {
            self.remember(id);
            self.output.control(|output| put_reset(id, Reason::REFUSED_STREAM, output));
            // Whoever has not heard yet how many are taken may well ask for more.
            return self.count_early();
        }
        let mut entry = Entry::new(self.limits.stream_window, self.peer.window);
        let (length, awaits_leave) = (draft.length(), draft.awaits_leave());
        let head = if is_too_large { Ok(None) } else { draft.request().map(Some) };
        let is_cut = flags.ends && length.is_some_and(|length| length > 0) && !is_too_large;
        let head = match head {
            Ok(head) if !flags.loops && !is_cut => head,
            told => {
                let cause = told.err().unwrap_or("a length without a body");
                tracing::debug!(cause, "a request is malformed");
                return self.breach(id, Reason::PROTOCOL_ERROR);
            }
        };
        (entry.left, entry.receive_ended) = (length, flags.ends);
        entry.awaits_leave = awaits_leave && !flags.ends;
        self.open += 1;
        self.streams.insert(id, entry);
        self.fresh.push_back(Fresh { id, head });
        self.note_empty(false)
    }

    fn take_response(&mut self, id: u32, fields: Fields) -> Result<(), Fatal> {
        let Fields { draft, is_too_large, flags } = fields;
        let (length, is_interim) = (draft.length(), draft.is_interim());
        let Some(entry) = self.streams.get_mut(&id) else { return Ok(()) };
        let is_refused = is_too_large || (is_interim && flags.ends);
        let response = match draft.response() {
            Ok(response) if !is_refused => response,
            told => {
                let cause = told.err().unwrap_or("too many fields, or no final response");
                tracing::debug!(cause, "a response is malformed");
                return self.breach(id, Reason::PROTOCOL_ERROR);
            }
        };
        if !is_interim {
            entry.answered = true;
            let is_bare = entry.to_head
                || [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&response.status);
            entry.left = if is_bare { Some(0) } else { length };
        }
        let is_cut = flags.ends && entry.left.is_some_and(|left| left > 0);
        if is_cut || entry.heads.len() >= INTERIM_MAX {
            return self.breach(id, Reason::PROTOCOL_ERROR);
        }
        if entry.has_reader {
            entry.heads.push_back(response);
        }
        entry.wake_reader();
        if flags.ends {
            self.end_receiving(id);
        }
        Ok(())
    }

    fn take_trailers(&mut self, id: u32, fields: Fields) -> Result<(), Fatal> {
        let Fields { draft, is_too_large, flags } = fields;
        let Some(entry) = self.streams.get_mut(&id) else { return Ok(()) };
        let is_cut = entry.left.is_some_and(|left| left > 0);
        match draft.trailers() {
            Ok(trailers) if flags.ends && !is_too_large && !is_cut => {
                if entry.has_reader {
                    entry.inbox.end(trailers);
                }
                self.end_receiving(id);
                Ok(())
            }
            _ => self.breach(id, Reason::PROTOCOL_ERROR),
        }
    }
}

impl Head {
    /// The head of a header block's first frame.
    pub(super) fn of_block(id: u32, len: usize, ends: bool) -> Self {
        let flags = END_HEADERS | if ends { END_STREAM } else { 0 };
        Self { len, kind: HEADERS, flags, id }
    }
}
