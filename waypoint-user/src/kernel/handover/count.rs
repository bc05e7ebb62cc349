//! How hand-overs ended.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::telemetry::metrics::Registry;

/// How often each end was seen by this process; clones share it.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Count {
    pub(in super::super) taken: Ended,
    pub(in super::super) resumed: Ended,
    pub(in super::super) refused: Ended,
}

/// How often hand-overs ended in one way.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Ended(Arc<AtomicU64>);

impl Ended {
    /// Counts one.
    pub(in super::super) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Count {
    /// None yet; exports the counts.
    pub(in super::super) fn export(registry: &Registry) -> Self {
        let count = Self::default();
        let exported = count.clone();
        registry.counter_source(
            "waypoint_handovers_total",
            "Hand-overs of the data path: taken from another process by this one; asked for by \
             another one and refused, or begun and not brought to an end.",
            "result",
            move || {
                let Self { taken, resumed, refused } = &exported;
                let named = [("taken", taken), ("resumed", resumed), ("refused", refused)];
                named.map(|(name, ended)| (name.to_owned(), ended.read())).to_vec()
            },
        );
        count
    }
}
