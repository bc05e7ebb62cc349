//! What bounds the service, whoever calls.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::telemetry::metrics::{Limit, Registry};

/// Connections at a time; those above are closed.
const CONNECTIONS_MAX: usize = 1024;

/// Requests at a time, of all connections; those above are told to come again.
const REQUESTS_MAX: usize = 64;

/// Streams at a time on one connection.
pub(super) const STREAMS_MAX: u32 = 32;

/// The longest request.
pub(super) const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// The longest list of fields of a request.
pub(super) const FIELDS_BYTES_MAX: u32 = 32 * 1024;

/// How long a handshake may take.
pub(super) const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);

/// How long a request may take, with its bytes.
pub(super) const REQUEST_PATIENCE: Duration = Duration::from_secs(10);

/// How often a connection is asked whether it lives, and how long it may take to say so.
pub(super) const KEEPALIVE: Duration = Duration::from_secs(30);

/// Places, and the counters of those who found none.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    connections: Arc<Semaphore>,
    requests: Arc<Semaphore>,
    connections_hit: Limit,
    requests_hit: Limit,
}

impl Limits {
    pub(super) fn new(registry: &Registry) -> Self {
        Self {
            connections: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            requests: Arc::new(Semaphore::new(REQUESTS_MAX)),
            connections_hit: registry.limit("ca_connections"),
            requests_hit: registry.limit("ca_requests"),
        }
    }

    /// A place for a connection.
    pub(super) fn connection(&self) -> Option<OwnedSemaphorePermit> {
        place(&self.connections, &self.connections_hit)
    }

    /// A place for a request.
    pub(super) fn request(&self) -> Option<OwnedSemaphorePermit> {
        place(&self.requests, &self.requests_hit)
    }
}

fn place(places: &Arc<Semaphore>, hit: &Limit) -> Option<OwnedSemaphorePermit> {
    Arc::clone(places).try_acquire_owned().inspect_err(|_| hit.hit()).ok()
}

#[cfg(test)]
mod tests;
