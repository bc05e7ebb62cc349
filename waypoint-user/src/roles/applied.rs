//! How far a change of the manifests has come: read, published, and in force in the kernel and in
//! the engine.
//!
//! It only observes; nothing waits for it but people and tests.
//!
//! **Invariant:** a generation that is exported is in force everywhere, with all before it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::watch;

use crate::{
    kernel::{DataPath, Progress},
    mesh::snapshot::Snapshot,
    telemetry::metrics::Registry,
};

/// What is read and what is in force.
#[derive(Debug)]
pub(super) struct Applied {
    generation: watch::Receiver<u64>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    mirrors: Vec<Progress>,
    engine: watch::Receiver<Option<Arc<Snapshot>>>,
    last: AtomicU64,
}

impl Applied {
    /// Observes what is read and published, and what the engine goes by.
    pub(super) fn new(
        generation: watch::Receiver<u64>,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        engine: watch::Receiver<Option<Arc<Snapshot>>>,
    ) -> Self {
        Self { generation, snapshots, mirrors: Vec::new(), engine, last: AtomicU64::new(0) }
    }

    /// Observes the data path as well.
    pub(super) fn with_data_path(mut self, data_path: &DataPath) -> Self {
        self.mirrors.push(data_path.progress());
        self
    }

    /// Observes another mirror of the Snapshots: the table of Service addresses.
    pub(super) fn service_vips(&mut self) -> Progress {
        let progress = Progress::default();
        self.mirrors.push(progress.clone());
        progress
    }

    /// Exports the generation that is in force.
    pub(super) fn register(self, registry: &Registry) {
        let help = "Readings of the manifests that are completely in force.";
        registry.gauge_source("waypoint_data_path_generation", help, "source", move || {
            vec![("manifests".to_owned(), self.read())]
        });
    }

    /// The last generation that is in force everywhere.
    fn read(&self) -> u64 {
        // In this order: what was read as this generation is published before it is counted.
        let generation = *self.generation.borrow();
        let snapshot = Arc::clone(&self.snapshots.borrow());
        let engine = self.engine.borrow();
        let engine_has = engine.as_ref().is_some_and(|one| Arc::ptr_eq(one, &snapshot));
        if engine_has && self.mirrors.iter().all(|mirror| mirror.has(&snapshot)) {
            self.last.fetch_max(generation, Ordering::Relaxed);
        }
        self.last.load(Ordering::Relaxed)
    }
}
