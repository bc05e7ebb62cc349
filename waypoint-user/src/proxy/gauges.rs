//! What workers have open now.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::telemetry::metrics::Registry;

/// One worker's gauges.
#[derive(Debug, Default)]
pub(super) struct Gauges {
    connections: AtomicU64,
}

impl Gauges {
    /// Gauges for each worker, exported by its number.
    pub(super) fn register(registry: &Registry, workers: usize) -> Vec<Arc<Self>> {
        let all: Vec<Arc<Self>> = (0..workers).map(|_| Arc::default()).collect();
        let read = all.clone();
        let name = "waypoint_connections";
        registry.gauge_source(name, "Connections from clients now.", "worker", move || {
            let numbered = read.iter().enumerate();
            let load = |gauges: &Arc<Self>| gauges.connections.load(Ordering::Relaxed);
            numbered.map(|(number, gauges)| (number.to_string(), load(gauges))).collect()
        });
        all
    }

    /// A connection began.
    pub(super) fn opened(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection ended.
    pub(super) fn closed(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
