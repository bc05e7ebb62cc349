//! Every limit of HBONE, with its default and what happens when it is hit.
//!
//! Each limit with a row below `waypoint_limit_hits_total` has a counter there under that name.

use std::time::Duration;

use crate::{
    http2::Reach,
    telemetry::metrics::{Limit, Registry},
};

/// Streams at a time on one connection that we open, as ztunnel has it; one more opens another
/// connection.
pub(super) const STREAMS_MAX: usize = 100;

/// Streams at a time on one connection that we accept; more are refused and may be opened
/// elsewhere.
pub(super) const ACCEPTED_STREAMS_MAX: u32 = 200;

/// Longest header list of a CONNECT; a longer one is answered with 431.
pub(super) const REQUEST_HEADER_BYTES_MAX: usize = 64 * 1024;

/// Longest header list of an answer; a longer one resets the stream.
pub(super) const RESPONSE_HEADER_BYTES_MAX: usize = 16 * 1024;

/// Bytes of one stream that may wait to be read, before any growth.
pub(super) const STREAM_WINDOW_BYTES: u32 = 256 * 1024;

/// Bytes of one connection that may wait to be read, before any growth: several streams' worth, so
/// that one slow reader does not starve the others.
pub(super) const CONNECTION_WINDOW_BYTES: u32 = WINDOW_RATIO * STREAM_WINDOW_BYTES;

/// How many full streams a connection's window holds.
pub(super) const WINDOW_RATIO: u32 = 4;

/// How far one connection's window grows where bandwidth and distance ask for it.
pub(super) const CONNECTION_WINDOW_BYTES_MAX: u32 = 16 * 1024 * 1024;

/// The same for one stream and what the connection has more than at first.
pub(super) const REACH: Reach = Reach {
    stream_window_max: CONNECTION_WINDOW_BYTES_MAX / WINDOW_RATIO,
    connection_growth_max: CONNECTION_WINDOW_BYTES_MAX - CONNECTION_WINDOW_BYTES,
};

/// By how much all windows that share [`Settings`](super::Settings) may grow together; those that
/// ask for more keep their size. Counted as `hbone_window_growth`.
pub(super) const WINDOW_GROWTH_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Largest frame that we accept. No other stream of the peer has its turn before the end of one, so
/// it is four TLS records and not ztunnel's 1 MiB.
pub(super) const FRAME_BYTES_MAX: usize = 64 * 1024;

/// Bytes of one connection that wait to be sent; writers wait for room, and each that waited has
/// its turn. Only what the peer has room for waits, so that no stream that is read slowly holds any
/// of it.
pub(super) const SEND_BUFFER_BYTES: usize = 256 * 1024;

/// Streams that a peer may reset before they were looked at; more end the connection
/// (CVE-2023-44487).
pub(super) const PENDING_RESETS_MAX: usize = 64;

/// Streams that a peer may reset before they were answered, at once and in each second; more end
/// the connection. Clients that go away while their destination is dialled are no attack, and an
/// agent's connection is of all clients of its node.
pub(super) const EARLY_RESETS_MAX: u32 = 4096;

/// Streams that we reset for a peer's errors; more end the connection.
pub(super) const ERROR_RESETS_MAX: usize = 256;

/// How long a handshake may take, TLS and HTTP/2 each.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection is silent before the peer is asked whether it is there.
pub(super) const PING_EVERY: Duration = Duration::from_secs(10);

/// How long it may take to answer; then the connection is closed.
pub(super) const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a connection that ended may take to send what is left, and to hear its peer's end.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Connections of one pool. Beyond them an unused one is closed for a new one; where all are used
/// the stream is not opened. Counted as `hbone_connections`.
pub(super) const CONNECTIONS_MAX: usize = 4096;

/// How often a stream that its peer has not looked at is opened again.
pub(super) const RETRIES_MAX: usize = 1;

/// Counters of limits that were hit.
#[derive(Clone, Debug, Default)]
pub(super) struct Limits {
    /// [`CONNECTIONS_MAX`].
    pub(super) connections: Limit,
    /// [`WINDOW_GROWTH_BYTES_MAX`].
    pub(super) window_growth: Limit,
    /// Requests that are no CONNECT, or to no valid authority; they are answered with 400.
    pub(super) bad_requests: Limit,
    /// [`PENDING_RESETS_MAX`], [`EARLY_RESETS_MAX`], [`ERROR_RESETS_MAX`], and frames without
    /// content or end: the peer loses its connection.
    pub(super) floods: Limit,
}

impl Limits {
    /// Counters in a registry.
    pub(super) fn new(registry: &Registry) -> Self {
        Self {
            connections: registry.limit("hbone_connections"),
            window_growth: registry.limit("hbone_window_growth"),
            bad_requests: registry.limit("hbone_bad_requests"),
            floods: registry.limit("hbone_floods"),
        }
    }
}
