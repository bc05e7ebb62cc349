//! What a source publishes, and how that is exported.
//!
//! It publishes nothing itself; `outlet` does.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tokio::{sync::watch, task::JoinHandle};

use crate::{
    mesh::{object::ObjectName, report::Report, snapshot::Snapshot},
    telemetry::metrics::Registry,
};

use super::{cluster::Counts, objects::Objects};

/// What a source publishes, and the task that follows it.
#[derive(Debug)]
pub struct Feed {
    /// The Snapshot in force; the first is there from the start.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// The Report made together with it.
    pub reports: watch::Receiver<Arc<Report>>,
    /// The objects that both were made of.
    pub objects: watch::Receiver<Arc<Objects>>,
    /// The three of them as they belong together, for who needs more than one.
    pub states: watch::Receiver<State>,
    /// How often the source was read; it grows after what was read is published, also when that
    /// changed nothing.
    pub generation: watch::Receiver<u64>,
    /// Ends after shutdown was asked for.
    pub follower: JoinHandle<()>,
    /// What reading a cluster costs; none where the source is no cluster.
    pub(super) counts: Option<Arc<Counts>>,
}

/// Objects, and what they mean.
#[derive(Clone, Debug)]
pub struct State {
    /// The objects.
    pub objects: Arc<Objects>,
    /// The Snapshot made of them.
    pub snapshot: Arc<Snapshot>,
    /// The Report made of them.
    pub report: Arc<Report>,
}

/// How many objects of each kind were refused when they were admitted.
fn refused(report: &Report) -> Vec<(String, u64)> {
    let mut kinds = BTreeMap::<&str, BTreeSet<&ObjectName>>::new();
    for (object, _) in report.iter().filter(|(_, finding)| finding.reason == INVALID) {
        kinds.entry(&object.kind).or_default().insert(&object.name);
    }
    let count = |names: BTreeSet<_>| u64::try_from(names.len()).unwrap_or(u64::MAX);
    kinds.into_iter().map(|(kind, names)| (kind.to_owned(), count(names))).collect()
}

impl Feed {
    /// Exports how often the source was read and what reading it costs. What was read is in force
    /// for the next request.
    pub fn export(&self, registry: &Registry) {
        let source = if self.counts.is_some() { "cluster" } else { "manifests" };
        let generation = self.generation.clone();
        let help = "Readings of the source that are in force.";
        registry.gauge_source("waypoint_config_generation", help, "source", move || {
            vec![(source.to_owned(), *generation.borrow())]
        });
        let reports = self.reports.clone();
        let help = "Objects whose newest version is not understood, and does not count.";
        registry.gauge_source("waypoint_config_refused_objects", help, "kind", move || {
            refused(&reports.borrow())
        });
        if let Some(counts) = &self.counts {
            counts.export(registry);
        }
    }
}

/// The reason of findings about what is not understood.
const INVALID: &str = "Invalid";
