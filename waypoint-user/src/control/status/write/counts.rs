//! How many writes of status there were, and what came of them.
//!
//! A write that was not needed is none.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use kube::Error;

use crate::telemetry::metrics::Registry;

/// Writes by kind and outcome.
#[derive(Debug, Default)]
pub(super) struct Counts(Mutex<BTreeMap<(&'static str, &'static str), u64>>);

impl Counts {
    /// Counts that are exported.
    pub(super) fn register(registry: &Registry) -> Arc<Self> {
        let counts = Arc::new(Self::default());
        let exported = Arc::clone(&counts);
        let name = "waypoint_controller_status_writes_total";
        let help = "Writes of the status of Services, entries, routes and policies.";
        registry.labelled_counter_source(name, help, &["kind", "outcome"], move || exported.read());
        counts
    }

    /// Counts one.
    pub(super) fn count(
        &self,
        kind: &'static str,
        written: Result<(), Error>,
    ) -> Result<(), Error> {
        let outcome = match &written {
            Ok(()) => "written",
            Err(Error::Api(status)) => match status.code {
                403 => "forbidden",
                404 => "gone",
                409 => "conflict",
                _ => "refused",
            },
            Err(_) => "unreachable",
        };
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((kind, outcome)).or_default() += 1;
        written
    }

    fn read(&self) -> Vec<(Vec<String>, u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let labels =
            |(kind, outcome): &(&str, &str)| vec![(*kind).to_owned(), (*outcome).to_owned()];
        counts.iter().map(|(key, count)| (labels(key), *count)).collect()
    }
}
