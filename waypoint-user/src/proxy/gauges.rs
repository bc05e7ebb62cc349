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
    handshakes_failed: AtomicU64,
}

impl Gauges {
    /// Gauges for each worker, exported by its number.
    pub(super) fn register(registry: &Registry, workers: usize) -> Vec<Arc<Self>> {
        let all: Vec<Arc<Self>> = (0..workers).map(|_| Arc::default()).collect();
        let read = numbers(&all, |gauges| &gauges.connections);
        let name = "waypoint_connections";
        registry.gauge_source(name, "Connections from clients now.", "worker", read);
        let read = numbers(&all, |gauges| &gauges.handshakes_failed);
        let name = "waypoint_tls_handshakes_failed_total";
        let help = "Connections from peers that did not agree on TLS, or proved nobody.";
        registry.counter_source(name, help, "worker", read);
        all
    }

    /// A peer and we did not agree on TLS.
    pub(super) fn handshake_failed(&self) {
        self.handshakes_failed.fetch_add(1, Ordering::Relaxed);
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

/// Reads one number of every worker.
fn numbers(
    all: &[Arc<Gauges>],
    which: fn(&Gauges) -> &AtomicU64,
) -> impl Fn() -> Vec<(String, u64)> + Send + Sync + 'static {
    let all = all.to_vec();
    move || {
        let numbered = all.iter().enumerate();
        let read = |gauges: &Gauges| which(gauges).load(Ordering::Relaxed);
        numbered.map(|(number, gauges)| (number.to_string(), read(gauges))).collect()
    }
}
