//! What is open to the endpoints of a Service's port, and how much may be.
//!
//! **Invariant:** what is taken is given back when its permit is dropped, and not before.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use tokio::sync::{Notify, futures::Notified};

use crate::mesh::traffic_policy::CircuitBreaker;

/// A circuit breaker.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Breaker {
    connections: Gate,
    pending: Gate,
    requests: Gate,
    retries: Gate,
    /// The number of the tables that the limits are of.
    number: Mutex<u64>,
}

/// How many of something there are, and may be.
#[derive(Debug)]
struct Gate {
    open: AtomicU32,
    most: AtomicU32,
    freed: Notify,
}

impl Default for Gate {
    fn default() -> Self {
        Self { open: AtomicU32::new(0), most: AtomicU32::new(u32::MAX), freed: Notify::new() }
    }
}

impl Gate {
    fn limit(&self, most: Option<u32>) {
        self.most.store(most.unwrap_or(u32::MAX), Relaxed);
        self.freed.notify_waiters();
    }

    fn enter(&self) -> bool {
        let most = self.most.load(Relaxed);
        let one_more = |open: u32| (open < most).then_some(open + 1);
        self.open.fetch_update(Relaxed, Relaxed, one_more).is_ok()
    }

    fn leave(&self) {
        self.open.fetch_sub(1, Relaxed);
        self.freed.notify_one();
    }
}

/// Something that is open until this is dropped.
#[derive(Debug)]
pub(in crate::proxy) struct Permit {
    breaker: Arc<Breaker>,
    gate: fn(&Breaker) -> &Gate,
}

impl Drop for Permit {
    fn drop(&mut self) {
        (self.gate)(&self.breaker).leave();
    }
}

impl Breaker {
    /// How much may be open from now on, unless newer tables said it; what is open stays.
    pub(super) fn limit(&self, most: CircuitBreaker, number: u64) {
        let mut newest = self.number.lock().unwrap_or_else(PoisonError::into_inner);
        if number < *newest {
            return;
        }
        *newest = number;
        self.connections.limit(most.connections);
        self.pending.limit(most.pending);
        self.requests.limit(most.requests);
        self.retries.limit(most.retries);
    }

    /// One more request, if one more may be.
    pub(in crate::proxy) fn request(self: &Arc<Self>) -> Option<Permit> {
        self.enter(|breaker| &breaker.requests)
    }

    /// One more request that was sent before, if one more may be.
    pub(in crate::proxy) fn retry(self: &Arc<Self>) -> Option<Permit> {
        self.enter(|breaker| &breaker.retries)
    }

    /// One more request that waits for a connection, if one more may be.
    pub(in crate::proxy) fn pending(self: &Arc<Self>) -> Option<Permit> {
        self.enter(|breaker| &breaker.pending)
    }

    /// One more connection, if one more may be.
    pub(in crate::proxy) fn connection(self: &Arc<Self>) -> Option<Permit> {
        self.enter(|breaker| &breaker.connections)
    }

    /// Waits until a connection ended.
    pub(in crate::proxy) fn freed(&self) -> Notified<'_> {
        self.connections.freed.notified()
    }

    /// Somebody who may have heard that a connection ended does not open another.
    pub(in crate::proxy) fn pass_on(&self) {
        self.connections.freed.notify_one();
    }

    fn enter(self: &Arc<Self>, gate: fn(&Self) -> &Gate) -> Option<Permit> {
        let permit = || Permit { breaker: Arc::clone(self), gate };
        gate(self).enter().then(permit)
    }
}
