//! How connections are kept, and what all connections share.

use super::limits::{
    ACCEPTED_STREAMS_MAX, CONNECTION_WINDOW_BYTES, CONNECTIONS_MAX, EARLY_RESETS_MAX,
    ERROR_RESETS_MAX, FRAME_BYTES_MAX, Limits, PENDING_RESETS_MAX, REQUEST_HEADER_BYTES_MAX,
    RESPONSE_HEADER_BYTES_MAX, SEND_BUFFER_BYTES, STREAM_WINDOW_BYTES, STREAMS_MAX,
    WINDOW_GROWTH_BYTES_MAX,
};
use crate::{
    http2::{self, Allowance},
    telemetry::metrics::Registry,
};

/// How connections are kept. Clones share what their windows may grow by.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Streams at a time on one connection that we open.
    pub streams_max: usize,
    /// Streams at a time on one connection that we accept.
    pub accepted_streams_max: u32,
    /// Connections of one pool.
    pub connections_max: usize,
    /// What windows may still grow by.
    pub(super) growth: Allowance,
    pub(super) limits: Limits,
}

impl Settings {
    /// The defaults, with limits counted in a registry.
    pub fn new(registry: &Registry) -> Self {
        Self { limits: Limits::new(registry), ..Self::default() }
    }

    /// What a connection may take that we accept.
    pub(super) fn accepting(&self) -> http2::Limits {
        http2::Limits {
            streams_max: self.accepted_streams_max,
            stream_window: STREAM_WINDOW_BYTES,
            connection_window: CONNECTION_WINDOW_BYTES,
            payload_max: FRAME_BYTES_MAX,
            list_bytes_max: REQUEST_HEADER_BYTES_MAX,
            send_bytes_max: SEND_BUFFER_BYTES,
            unseen_resets_max: PENDING_RESETS_MAX,
            error_resets_max: ERROR_RESETS_MAX,
            early_resets_max: EARLY_RESETS_MAX,
            grants_changes: false,
        }
    }

    /// What a connection may take that we open: its peer opens no streams.
    pub(super) fn opening(&self) -> http2::Limits {
        let list_bytes_max = RESPONSE_HEADER_BYTES_MAX;
        http2::Limits { streams_max: 0, list_bytes_max, ..self.accepting() }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            streams_max: STREAMS_MAX,
            accepted_streams_max: ACCEPTED_STREAMS_MAX,
            connections_max: CONNECTIONS_MAX,
            growth: Allowance::new(WINDOW_GROWTH_BYTES_MAX),
            limits: Limits::default(),
        }
    }
}
