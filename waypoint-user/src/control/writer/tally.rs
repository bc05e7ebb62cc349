//! How many writes there were, by kind and by what came of them.
//!
//! It counts reads not at all: a write that turned out to be unnecessary counts as `unchanged`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::telemetry::metrics::Registry;

use super::{Error, Outcome};

/// The counts; clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally(Arc<Mutex<BTreeMap<(&'static str, &'static str), u64>>>);

impl Tally {
    /// Counts that are exported.
    pub(super) fn registered(registry: &Registry) -> Self {
        let tally = Self::default();
        let shown = tally.clone();
        registry.labelled_counter_source(
            "waypoint_controller_writes_total",
            "Writes to the API server, by kind of object and outcome.",
            &["kind", "outcome"],
            move || shown.read(),
        );
        tally
    }

    /// Counts one write.
    pub(super) fn count(&self, kind: &'static str, result: &Result<Outcome, Error>) {
        let outcome = match result {
            Ok(Outcome::Unchanged) => "unchanged",
            Ok(Outcome::Written) => "written",
            Ok(Outcome::Deleted) => "deleted",
            Err(Error::Conflict { .. }) => "conflict",
            Err(Error::Foreign { .. }) => "foreign",
            Err(Error::Forbidden { .. }) => "forbidden",
            Err(Error::Refused { .. } | Error::Malformed { .. }) => "refused",
            Err(_) => "failed",
        };
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((kind, outcome)).or_default() += 1;
    }

    fn read(&self) -> Vec<(Vec<String>, u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let owned =
            |(kind, outcome): &(&str, &str)| vec![(*kind).to_owned(), (*outcome).to_owned()];
        counts.iter().map(|(labels, count)| (owned(labels), *count)).collect()
    }
}
