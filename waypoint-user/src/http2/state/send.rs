//! What is sent on streams: heads, bodies and trailers, within what the peer has room for.

use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};

use crate::http2::{
    Broken, Question,
    entry::{Entry, wait},
    frame::{CONTINUATION, DATA, END_HEADERS, END_STREAM, HEAD_BYTES, Head, WINDOW_MAX},
    hpack::Encoder,
    limits::SENT_PAYLOAD_MAX,
    message::is_of_connection,
};

use super::State;

impl State {
    /// The stream, if our half of it is still to be sent.
    fn sendable(&mut self, id: u32) -> Result<&mut Entry, Broken> {
        let entry = self.streams.get_mut(&id).ok_or(Broken::Closed)?;
        match entry.broken {
            Some(broken) => Err(broken),
            None if entry.send_ended => Err(Broken::Dropped),
            None => Ok(entry),
        }
    }

    /// Opens a stream and asks.
    pub(in crate::http2) fn ask(&mut self, question: &Question<'_>, ends: bool) -> u32 {
        let id = self.next_own;
        self.next_own += 2;
        self.open += 1;
        let mut entry = Entry::new(self.limits.stream_window, self.peer.window);
        entry.to_head = *question.method == http::Method::HEAD;
        entry.send_ended = ends;
        self.streams.insert(id, entry);
        self.put_block(id, ends, |encoder, output| {
            encoder.method(question.method, output);
            if let Some(scheme) = question.scheme {
                encoder.scheme(scheme, output);
            }
            if !question.authority.is_empty() {
                encoder.authority(question.authority, output);
            }
            if let Some(path) = question.path {
                encoder.path(path, output);
            }
            if let Some(protocol) = question.protocol {
                encoder.protocol(protocol, output);
            }
            put_fields(encoder, question.headers, output);
        });
        id
    }

    /// Sends the head of a response.
    pub(in crate::http2) fn respond(
        &mut self,
        id: u32,
        status: StatusCode,
        headers: &HeaderMap,
        ends: bool,
    ) -> Result<(), Broken> {
        let is_final = !status.is_informational();
        let entry = self.sendable(id)?;
        if entry.answered {
            return Err(Broken::Dropped);
        }
        if is_final {
            (entry.answered, entry.send_ended) = (true, ends);
            entry.awaits_leave = false;
        }
        self.put_block(id, ends && is_final, |encoder, output| {
            encoder.status(status, output);
            put_fields(encoder, headers, output);
        });
        self.settle(id);
        Ok(())
    }

    /// Tells a client that waits for it to send its body, because somebody wants it.
    pub(in crate::http2) fn give_leave(&mut self, id: u32) {
        let awaits = match self.streams.get_mut(&id) {
            Some(entry) => std::mem::take(&mut entry.awaits_leave) && entry.inbox.is_empty(),
            None => false,
        };
        if awaits {
            let told = self.respond(id, StatusCode::CONTINUE, &HeaderMap::new(), false);
            tracing::trace!(?told, "a client may send its body");
        }
    }

    /// Sends trailers, with which our half ends.
    pub(in crate::http2) fn send_trailers(
        &mut self,
        id: u32,
        trailers: &HeaderMap,
    ) -> Result<(), Broken> {
        self.sendable(id)?.send_ended = true;
        self.put_block(id, true, |encoder, output| put_fields(encoder, trailers, output));
        self.settle(id);
        Ok(())
    }

    /// How many bytes of a body may be sent now: at least one.
    pub(in crate::http2) fn poll_room(
        &mut self,
        id: u32,
        cx: &Context<'_>,
    ) -> Poll<Result<usize, Broken>> {
        match self.room_of(id) {
            Ok(0) => self.wait_for_room(id, cx),
            told => return Poll::Ready(told),
        }
        Poll::Pending
    }

    /// Sends from the front of a piece of a body as much as there is room for. The end is sent with
    /// the last of it.
    pub(in crate::http2) fn send(
        &mut self,
        id: u32,
        piece: &mut Bytes,
        ends: bool,
    ) -> Result<(), Broken> {
        let room = self.room_of(id)?;
        let most = self.peer.payload_max.min(SENT_PAYLOAD_MAX);
        let Some(entry) = self.streams.get_mut(&id) else { return Err(Broken::Closed) };
        let mut sent = piece.split_to(room.min(piece.len()));
        let ends = ends && piece.is_empty();
        entry.send_ended = ends;
        entry.granted = entry.granted.saturating_sub(sent.len());
        let taken = i64::try_from(sent.len()).unwrap_or(WINDOW_MAX);
        entry.send_window -= taken;
        self.send_window -= taken;
        while !sent.is_empty() || ends {
            let payload = sent.split_to(most.min(sent.len()));
            let is_last = ends && sent.is_empty();
            let flags = if is_last { END_STREAM } else { 0 };
            self.output.payload(Head { len: payload.len(), kind: DATA, flags, id }, payload);
            if is_last {
                break;
            }
        }
        if ends {
            self.settle(id);
        }
        self.wake_driver();
        Ok(())
    }

    /// Why nothing more may be sent on a stream, once that is so.
    pub(in crate::http2) fn poll_reset(&mut self, id: u32, cx: &Context<'_>) -> Poll<Broken> {
        let Some(entry) = self.streams.get_mut(&id) else { return Poll::Ready(Broken::Closed) };
        if let Some(broken) = entry.broken {
            return Poll::Ready(broken);
        }
        wait(&mut entry.writer, cx);
        Poll::Pending
    }

    /// How much a stream may send now.
    fn room_of(&mut self, id: u32) -> Result<usize, Broken> {
        let on_connection = self.room();
        self.sendable(id)?;
        let Some(entry) = self.streams.get(&id) else { return Err(Broken::Closed) };
        let window = usize::try_from(entry.send_window).unwrap_or_default();
        Ok(on_connection.min(window).min(self.turns.left(entry)))
    }

    /// How much may be sent on the connection.
    pub(super) fn room(&self) -> usize {
        if self.output.is_choked() {
            return 0;
        }
        let free = self.limits.send_bytes_max.saturating_sub(self.output.waiting());
        free.min(usize::try_from(self.send_window).unwrap_or_default())
    }

    /// Writes a block of fields, in as many frames as the peer wants it.
    fn put_block(&mut self, id: u32, ends: bool, write: impl FnOnce(&mut Encoder, &mut BytesMut)) {
        let (encoder, most) = (&mut self.encoder, self.peer.payload_max);
        self.output.control(|output| {
            let at = output.len();
            output.extend_from_slice(&[0; HEAD_BYTES]);
            encoder.begin(output);
            write(encoder, output);
            let len = output.len() - at - HEAD_BYTES;
            Head::of_block(id, len, ends).put_at(output, at);
            if len > most {
                cut(output, at, most);
            }
        });
        self.wake_driver();
    }
}

/// Cuts the frame of a block that was written there into several.
fn cut(output: &mut BytesMut, at: usize, most: usize) {
    let mut block = output.split_off(at);
    let Some(mut head) = Head::parse(&block) else { return };
    let mut rest = block.split_off(HEAD_BYTES);
    while !rest.is_empty() {
        let part = rest.split_to(most.min(rest.len()));
        let is_last = rest.is_empty();
        head.len = part.len();
        head.flags &= !END_HEADERS;
        head.flags |= if is_last { END_HEADERS } else { 0 };
        head.put(output);
        output.extend_from_slice(&part);
        head = Head { kind: CONTINUATION, flags: 0, ..head };
    }
}

/// Writes all fields but those that hold for a connection of HTTP/1.
fn put_fields(encoder: &mut Encoder, headers: &HeaderMap, output: &mut BytesMut) {
    for (name, value) in headers {
        if !is_of_connection(name) {
            encoder.field(name, value, output);
        }
    }
}
