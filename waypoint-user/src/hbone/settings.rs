//! How connections are kept, and what all connections share.

use std::{cell::Cell, sync::Arc, sync::atomic::AtomicUsize, sync::atomic::Ordering};

use super::limits::{
    ACCEPTED_STREAMS_MAX, CONNECTIONS_MAX, Limits, STREAMS_MAX, WINDOW_GROWTH_BYTES_MAX,
};
use crate::telemetry::metrics::Registry;

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
    pub(super) growth: Arc<AtomicUsize>,
    pub(super) limits: Limits,
}

impl Settings {
    /// The defaults, with limits counted in a registry.
    pub fn new(registry: &Registry) -> Self {
        Self { limits: Limits::new(registry), ..Self::default() }
    }

    /// No growth yet.
    pub(super) fn share(&self) -> Share {
        Share { growth: Arc::clone(&self.growth), taken: Cell::new(0) }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            streams_max: STREAMS_MAX,
            accepted_streams_max: ACCEPTED_STREAMS_MAX,
            connections_max: CONNECTIONS_MAX,
            growth: Arc::new(AtomicUsize::new(WINDOW_GROWTH_BYTES_MAX)),
            limits: Limits::default(),
        }
    }
}

/// What one connection took of the growth; given back when it ends.
#[derive(Debug)]
pub(super) struct Share {
    growth: Arc<AtomicUsize>,
    taken: Cell<usize>,
}

impl Share {
    /// Takes so many bytes, or none.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let less = |left: usize| left.checked_sub(bytes);
        let taken = self.growth.try_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok();
        if taken {
            self.taken.set(self.taken.get() + bytes);
        }
        taken
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.growth.fetch_add(self.taken.get(), Ordering::Relaxed);
    }
}
