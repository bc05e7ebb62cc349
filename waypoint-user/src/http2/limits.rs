//! What a connection of HTTP/2 may take, and what is granted to the peer.

use std::time::Duration;

/// Limits of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Streams at a time that the peer may open.
    pub streams_max: u32,
    /// Bytes of one stream that may wait to be taken.
    pub stream_window: u32,
    /// Bytes of all streams that may wait to be taken.
    pub connection_window: u32,
    /// Longest payload of a frame that the peer may send; 16 KiB are always allowed.
    pub payload_max: usize,
    /// Bytes of a list of fields, as RFC 9113 section 6.5.2 counts them.
    pub list_bytes_max: usize,
    /// Bytes of bodies that may wait to be sent.
    pub send_bytes_max: usize,
    /// Streams at a time that the peer may have reset before they were looked at.
    pub unseen_resets_max: usize,
    /// Streams that are reset because the peer did something wrong on them, at once and in each
    /// second.
    pub error_resets_max: usize,
    /// Streams that the peer may reset before they were answered, or open beyond those that it
    /// may, at once and in each second.
    pub early_resets_max: u32,
    /// Whether the peer is told that CONNECT may ask for another protocol (RFC 8441).
    pub grants_changes: bool,
}

/// Heads and answers that may wait to be sent; what would make more is not read meanwhile, and no
/// body is sent until all of them have left.
pub(super) const CONTROL_BYTES_MAX: usize = 256 * 1024;

/// Frames of one header block.
pub(super) const BLOCK_FRAMES_MAX: usize = 64;

/// Bytes of a header block before it is decoded, as a multiple of what it may come to.
pub(super) const BLOCK_GROWTH_MAX: usize = 2;

/// Frames without any content that may follow each other.
pub(super) const EMPTY_FRAMES_MAX: u32 = 128;

/// Responses before the final one that may wait on a stream.
pub(super) const INTERIM_MAX: usize = 16;

/// Streams that were reset here and are remembered, because the peer may not know it yet.
pub(super) const RESETS_KNOWN: usize = 256;

/// Payloads up to this length are copied to where heads are written.
pub(super) const COPIED_BYTES_MAX: usize = 2 * 1024;

/// Pieces of a body up to this length are put together while nobody takes them.
pub(super) const SMALL_BYTES_MAX: usize = 512;

/// The part of what was read that a piece must be to keep all of it in memory: one in so many.
pub(super) const KEPT_SHARE: usize = 4;

/// The least of a connection's room that is granted to a stream where there is more, while others
/// wait for it.
pub(super) const SHARE_BYTES_MIN: usize = 16 * 1024;

/// Longest payload that is sent, where the peer takes such.
pub(super) const SENT_PAYLOAD_MAX: usize = 64 * 1024;

/// Bytes that are taken before bandwidth is measured again: less fills no window.
pub(super) const PROBE_BYTES_MIN: u64 = 64 * 1024;

/// How long after one measurement of bandwidth the next may start; longer while nothing changes.
pub(super) const PROBE_PAUSES: [Duration; 2] =
    [Duration::from_millis(100), Duration::from_millis(6400)];

/// How long it takes until a peer may again do all that it may do at once.
pub(super) const CALM: Duration = Duration::from_secs(1);
