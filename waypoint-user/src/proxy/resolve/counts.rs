//! What is counted of names.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::telemetry::metrics::Registry;

use super::Answer;

/// Counts of all workers.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Counts {
    names: AtomicU64,
    found: AtomicU64,
    none: AtomicU64,
    failed: AtomicU64,
}

impl Counts {
    /// Counts that are exported.
    pub(in crate::proxy) fn register(registry: &Registry) -> Arc<Self> {
        let counts = Arc::new(Self::default());
        let read = Arc::clone(&counts);
        let name = "waypoint_dns_lookups_total";
        let help = "Lookups of names of endpoints, by what they came to.";
        registry.counter_source(name, help, "result", move || {
            let number = |count: &AtomicU64| count.load(Ordering::Relaxed);
            vec![
                ("found".to_owned(), number(&read.found)),
                ("none".to_owned(), number(&read.none)),
                ("failed".to_owned(), number(&read.failed)),
            ]
        });
        let read = Arc::clone(&counts);
        let name = "waypoint_dns_names";
        let help = "Names of endpoints that workers keep looked up.";
        registry.gauge_source(name, help, "source", move || {
            vec![("workers".to_owned(), read.names.load(Ordering::Relaxed))]
        });
        counts
    }

    /// Counts a lookup.
    pub(super) fn count(&self, answer: &Answer) {
        let count = match answer {
            Answer::Found(..) => &self.found,
            Answer::None => &self.none,
            Answer::Failed(_) => &self.failed,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Names came and went.
    pub(super) fn names_are(&self, more: u64, fewer: u64) {
        self.names.fetch_add(more, Ordering::Relaxed);
        self.names.fetch_sub(fewer, Ordering::Relaxed);
    }
}
