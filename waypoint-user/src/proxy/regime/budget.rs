//! How many requests there were in the last seconds, and how many of them were sent again.
//!
//! It knows no clock.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use crate::mesh::traffic_policy::Budget;

/// What was spent of a budget.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Spending([Second; SECONDS]);

/// What was in one second.
#[derive(Debug, Default)]
struct Second {
    /// Which second, counted from one.
    which: AtomicU64,
    requests: AtomicU32,
    retries: AtomicU32,
}

impl Spending {
    /// Counts a request.
    pub(in crate::proxy) fn asked(&self, now: Duration) {
        if let Some(second) = self.second(now) {
            second.requests.fetch_add(1, Relaxed);
        }
    }

    /// Whether one more may be sent again; if so, it counts.
    pub(in crate::proxy) fn spend(&self, budget: Budget, now: Duration) -> bool {
        let current = now.as_secs() + 1;
        let counts = |second: &&Second| second.which.load(Relaxed) + SECONDS as u64 > current;
        let sum = |which: fn(&Second) -> &AtomicU32| -> u64 {
            let seconds = self.0.iter().filter(counts);
            seconds.map(|second| u64::from(which(second).load(Relaxed))).sum()
        };
        let (requests, retries) = (sum(|one| &one.requests), sum(|one| &one.retries));
        let reserve = u64::from(budget.min_retries_per_second) * SECONDS as u64;
        if retries * 100 >= requests * u64::from(budget.percent) + reserve * 100 {
            return false;
        }
        if let Some(second) = self.second(now) {
            second.retries.fetch_add(1, Relaxed);
        }
        true
    }

    /// The counters of this second, emptied where they are of an earlier one.
    fn second(&self, now: Duration) -> Option<&Second> {
        let current = now.as_secs() + 1;
        let second = self.0.get(usize::try_from(current % SECONDS as u64).ok()?)?;
        let was = second.which.load(Relaxed);
        let turned = second.which.compare_exchange(was, current, Relaxed, Relaxed).is_ok();
        if was != current && turned {
            // What others count between these lines is lost, which no budget notices.
            second.requests.store(0, Relaxed);
            second.retries.store(0, Relaxed);
        }
        Some(second)
    }
}

/// How many seconds count.
const SECONDS: usize = 10;
