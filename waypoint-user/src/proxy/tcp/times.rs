//! How long an opaque connection may last, and how long nothing may move on it.
//!
//! It ends nothing itself.

use std::{cell::Cell, future::pending};

use tokio::time::{Instant, sleep_until};

use crate::{
    mesh::traffic_policy::Timeouts,
    proxy::respond::{Fault, Late},
};

/// The times of a connection.
pub(super) struct Times {
    limits: Timeouts,
    /// When something moved last, where somebody watches that.
    moved: Cell<Instant>,
}

impl Times {
    /// As a policy says; what it says of requests does not count.
    pub(super) fn new(limits: Timeouts) -> Self {
        Self { limits, moved: Cell::new(Instant::now()) }
    }

    /// Something moved.
    pub(super) fn moved(&self) {
        if self.limits.stream_idle.is_some() {
            self.moved.set(Instant::now());
        }
    }

    /// Waits until the time of a connection that began then is over, or nothing has moved on it for
    /// too long; for ever where neither is limited.
    pub(super) async fn over(&self, began: Instant) -> Fault {
        let Timeouts { stream_idle, max_stream_duration, .. } = self.limits;
        // A time that no clock reaches is none.
        let ends = max_stream_duration.and_then(|time| began.checked_add(time));
        self.moved();
        loop {
            let idle = stream_idle.and_then(|time| self.moved.get().checked_add(time));
            let Some(next) = ends.into_iter().chain(idle).min() else { return pending().await };
            sleep_until(next).await;
            let now = Instant::now();
            if ends.is_some_and(|ends| ends <= now) {
                return Fault::TooLate(Late::Stream);
            }
            let still = stream_idle.and_then(|time| self.moved.get().checked_add(time));
            if still.is_some_and(|still| still <= now) {
                return Fault::Idle;
            }
        }
    }
}

#[cfg(test)]
mod tests;
