//! Connections that pass their destination's waypoints by, counted by workload.
//!
//! The kernel counts by address and forgets what was not seen for long; here the counts get names,
//! and stay.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use aya::maps::{MapData, PerCpuHashMap};
use waypoint_common::{addr::Addr, admission::Bypass, counter::Reason};

use crate::{
    mesh::{snapshot::Snapshot, workload::Workload},
    telemetry::metrics::{Limit, Registry},
};

/// Counts by label values; clones share them.
#[derive(Clone, Debug)]
pub(super) struct Totals {
    counts: Arc<Mutex<HashMap<Labels, u64>>>,
    full: Limit,
}

type Labels = [String; 5];

impl Totals {
    /// Nothing yet; exports the counts.
    pub(super) fn export(registry: &Registry) -> Self {
        let counts: Arc<Mutex<HashMap<Labels, u64>>> = Arc::default();
        let exported = Arc::clone(&counts);
        registry.labelled_counter_source(
            "waypoint_bypass_connections_total",
            "Connections to pods that passed their waypoints by, by what was done about them.",
            &LABELS,
            move || {
                let counts = exported.lock().unwrap_or_else(PoisonError::into_inner);
                counts.iter().map(|(labels, count)| (labels.to_vec(), *count)).collect()
            },
        );
        Self { counts, full: registry.limit("bypass_label_sets") }
    }

    fn add(&self, labels: Labels, count: u64) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = counts.len() >= LABEL_SETS_MAX && !counts.contains_key(&labels);
        let labels = if is_full {
            self.full.hit();
            [(); 5].map(|()| UNKNOWN.to_owned())
        } else {
            labels
        };
        *counts.entry(labels).or_default() += count;
    }
}

/// Reads the kernel's counts.
pub(super) struct Reader {
    map: PerCpuHashMap<MapData, Bypass, u64>,
    seen: HashMap<Bypass, u64>,
    totals: Totals,
}

impl Reader {
    /// Reads from this map. What an earlier process left in it is not counted again.
    pub(super) fn new(map: PerCpuHashMap<MapData, Bypass, u64>, totals: Totals) -> Self {
        let seen = read(&map);
        Self { map, seen, totals }
    }

    /// Adds what came since the last time, by the names that a Snapshot gives the ends.
    pub(super) fn follow(&mut self, snapshot: &Snapshot) {
        let now = read(&self.map);
        for (ends, count) in &now {
            // A smaller number began anew after the kernel had forgotten the former one.
            let before = self.seen.get(ends).copied().filter(|before| before <= count);
            let new = count - before.unwrap_or_default();
            if new > 0 {
                self.totals.add(labels(ends, snapshot), new);
            }
        }
        self.seen = now;
    }
}

/// Sums over the CPUs.
fn read(map: &PerCpuHashMap<MapData, Bypass, u64>) -> HashMap<Bypass, u64> {
    let sum = |(ends, counts): (Bypass, aya::maps::PerCpuValues<u64>)| (ends, counts.iter().sum());
    map.iter().filter_map(Result::ok).map(sum).collect()
}

fn labels(ends: &Bypass, snapshot: &Snapshot) -> Labels {
    let workload = |address: Addr| snapshot.workload_of_address(IpAddr::from(address));
    let owner = |found: Option<&Arc<Workload>>| {
        found.map_or_else(|| UNKNOWN.to_owned(), |workload| workload.owner.clone())
    };
    let namespace = |found: Option<&Arc<Workload>>| {
        found.map_or_else(|| UNKNOWN.to_owned(), |workload| workload.name.namespace.clone())
    };
    let (source, destination) = (workload(ends.source), workload(ends.destination));
    let outcome = match Reason::from_index(ends.reason) {
        Some(Reason::Bypassing) => "counted",
        _ => "refused",
    };
    [
        owner(source),
        namespace(source),
        owner(destination),
        namespace(destination),
        outcome.to_owned(),
    ]
}

const LABELS: [&str; 5] = [
    "source_workload",
    "source_workload_namespace",
    "destination_workload",
    "destination_workload_namespace",
    "outcome",
];
const UNKNOWN: &str = "unknown";
/// Further sets are counted as unknown.
const LABEL_SETS_MAX: usize = 10_000;
