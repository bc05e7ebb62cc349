//! Frames as bytes (RFC 9113 sections 4 and 6).
//!
//! It knows lengths and places of fields, and nothing of what they mean.

use bytes::{BufMut, BytesMut};

use super::Reason;

/// The head of a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Head {
    /// Bytes of the payload.
    pub(super) len: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) id: u32,
}

impl Head {
    /// The head at the front of `input`, if all of it is there.
    pub(super) fn parse(input: &[u8]) -> Option<Self> {
        let [a, b, c, kind, flags, id @ ..] = *input.first_chunk::<HEAD_BYTES>()?;
        let len = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        Some(Self { len, kind, flags, id: u32::from_be_bytes(id) & ID_MASK })
    }

    /// Writes it.
    pub(super) fn put(self, output: &mut BytesMut) {
        output.put_slice(&self.bytes());
    }

    /// Writes it over what was kept free for it.
    pub(super) fn put_at(self, output: &mut BytesMut, at: usize) {
        if let Some(room) = output.get_mut(at..at + HEAD_BYTES) {
            room.copy_from_slice(&self.bytes());
        }
    }

    pub(super) fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    fn bytes(self) -> [u8; HEAD_BYTES] {
        // No frame is longer than that: payloads are cut to what the peer takes.
        let len = u32::try_from(self.len).unwrap_or(u32::MAX).to_be_bytes();
        let [id @ .., last] = self.id.to_be_bytes();
        [len[1], len[2], len[3], self.kind, self.flags, id[0], id[1], id[2], last]
    }
}

/// Writes SETTINGS.
pub(super) fn put_settings(settings: &[(u16, u32)], output: &mut BytesMut) {
    let len = settings.len() * SETTING_BYTES;
    Head { len, kind: SETTINGS, flags: 0, id: 0 }.put(output);
    for (name, value) in settings {
        output.put_u16(*name);
        output.put_u32(*value);
    }
}

/// Writes that SETTINGS are in force.
pub(super) fn put_settings_ack(output: &mut BytesMut) {
    Head { len: 0, kind: SETTINGS, flags: ACK, id: 0 }.put(output);
}

/// Writes a PING, or the answer to one.
pub(super) fn put_ping(payload: [u8; PING_BYTES], flags: u8, output: &mut BytesMut) {
    Head { len: PING_BYTES, kind: PING, flags, id: 0 }.put(output);
    output.put_slice(&payload);
}

/// Writes RST_STREAM.
pub(super) fn put_reset(id: u32, reason: Reason, output: &mut BytesMut) {
    Head { len: 4, kind: RST_STREAM, flags: 0, id }.put(output);
    output.put_u32(reason.code());
}

/// Writes WINDOW_UPDATE.
pub(super) fn put_window_update(id: u32, bytes: u32, output: &mut BytesMut) {
    Head { len: 4, kind: WINDOW_UPDATE, flags: 0, id }.put(output);
    output.put_u32(bytes);
}

/// Writes GOAWAY.
pub(super) fn put_goaway(last: u32, reason: Reason, output: &mut BytesMut) {
    Head { len: 8, kind: GOAWAY, flags: 0, id: 0 }.put(output);
    output.put_u32(last);
    output.put_u32(reason.code());
}

/// The number at the front of a payload.
pub(super) fn number(payload: &[u8]) -> Option<u32> {
    payload.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes))
}

/// What a client sends first.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes of a frame's head, of one setting, and of a PING.
pub(super) const HEAD_BYTES: usize = 9;
pub(super) const SETTING_BYTES: usize = 6;
pub(super) const PING_BYTES: usize = 8;

/// Longest payload that everybody must take, and the least that may be agreed upon.
pub(super) const PAYLOAD_MAX: usize = 16 * 1024;

/// Highest number of a stream; the bit above means nothing.
pub(super) const ID_MASK: u32 = u32::MAX >> 1;

/// Largest window.
pub(super) const WINDOW_MAX: i64 = (1 << 31) - 1;

/// Window of a connection, and of streams until something else is said.
pub(super) const WINDOW_DEFAULT: u32 = 65_535;

pub(super) const DATA: u8 = 0x0;
pub(super) const HEADERS: u8 = 0x1;
pub(super) const PRIORITY: u8 = 0x2;
pub(super) const RST_STREAM: u8 = 0x3;
pub(super) const SETTINGS: u8 = 0x4;
pub(super) const PUSH_PROMISE: u8 = 0x5;
pub(super) const PING: u8 = 0x6;
pub(super) const GOAWAY: u8 = 0x7;
pub(super) const WINDOW_UPDATE: u8 = 0x8;
pub(super) const CONTINUATION: u8 = 0x9;

pub(super) const ACK: u8 = 0x1;
pub(super) const END_STREAM: u8 = 0x1;
pub(super) const END_HEADERS: u8 = 0x4;
pub(super) const PADDED: u8 = 0x8;
pub(super) const HAS_PRIORITY: u8 = 0x20;

pub(super) const HEADER_TABLE_SIZE: u16 = 0x1;
pub(super) const ENABLE_PUSH: u16 = 0x2;
pub(super) const MAX_CONCURRENT_STREAMS: u16 = 0x3;
pub(super) const INITIAL_WINDOW_SIZE: u16 = 0x4;
pub(super) const MAX_FRAME_SIZE: u16 = 0x5;
pub(super) const MAX_HEADER_LIST_SIZE: u16 = 0x6;
pub(super) const ENABLE_CONNECT_PROTOCOL: u16 = 0x8;
