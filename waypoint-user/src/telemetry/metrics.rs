//! Metrics: the registry, and where its numbers come from.
//!
//! It computes no number: sources are read when somebody scrapes, and traffic counters live with
//! the workers that add to them.
//!
//! **Invariant:** counting never waits for a scrape.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{IntCounter, IntCounterVec, Opts, TextEncoder};

use self::{
    source::Source,
    traffic::{Shard, exposition::Traffic},
};

mod source;
pub mod traffic;

/// Everything that is exported; clones share it.
#[derive(Clone, Debug)]
pub struct Registry {
    inner: prometheus::Registry,
    limits: Option<IntCounterVec>,
    shards: Arc<Mutex<Vec<Arc<Shard>>>>,
}

impl Registry {
    /// A registry with the count of limits hit, and with Istio's families, which are still empty.
    pub fn new() -> Self {
        let inner = prometheus::Registry::new();
        let help = "How often each limit of the process was hit.";
        let limits = IntCounterVec::new(Opts::new("waypoint_limit_hits_total", help), &["limit"]);
        let limits = limits.ok().inspect(|limits| register(&inner, Box::new(limits.clone())));
        let shards = Arc::default();
        match Traffic::new(Arc::clone(&shards)) {
            Ok(traffic) => register(&inner, Box::new(traffic)),
            Err(cause) => tracing::error!(%cause, "Istio's metrics are malformed"),
        }
        Self { inner, limits, shards }
    }

    /// All metrics in Prometheus' text format.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        if let Err(cause) = TextEncoder::new().encode_utf8(&self.inner.gather(), &mut text) {
            tracing::error!(%cause, "the metrics could not be encoded whole");
        }
        text
    }

    /// Exports counters that are kept elsewhere: `read` gives label values and counts.
    pub fn counter_source(
        &self,
        name: &'static str,
        help: &'static str,
        label: &'static str,
        read: impl Fn() -> Vec<(String, u64)> + Send + Sync + 'static,
    ) {
        let read = move || of_one_label(read());
        self.register_source(Source::counters(name, help, &[label], Box::new(read)), name);
    }

    /// The same with several labels, whose values come in their order.
    pub fn labelled_counter_source(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
        read: impl Fn() -> Vec<(Vec<String>, u64)> + Send + Sync + 'static,
    ) {
        self.register_source(Source::counters(name, help, labels, Box::new(read)), name);
    }

    /// Exports gauges that are kept elsewhere: `read` gives label values and numbers.
    pub fn gauge_source(
        &self,
        name: &'static str,
        help: &'static str,
        label: &'static str,
        read: impl Fn() -> Vec<(String, u64)> + Send + Sync + 'static,
    ) {
        let read = move || of_one_label(read());
        self.register_source(Source::gauges(name, help, &[label], Box::new(read)), name);
    }

    /// The counter of hits of a limit, shown from zero.
    pub fn limit(&self, name: &'static str) -> Limit {
        Limit(self.limits.as_ref().map(|limits| limits.with_label_values(&[name])))
    }

    /// A worker's own share of Istio's families.
    pub fn shard(&self) -> Arc<Shard> {
        let shard = Arc::new(Shard::new(self.limit("metric_label_sets")));
        let mut shards = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        shards.push(Arc::clone(&shard));
        shard
    }

    /// Registers a source; a name that is taken or malformed is a bug that only the log shows.
    fn register_source(&self, source: prometheus::Result<Source>, name: &str) {
        match source {
            Ok(source) => register(&self.inner, Box::new(source)),
            Err(cause) => tracing::error!(name, %cause, "a metric is malformed"),
        }
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

/// The counter of one limit; the default counts nothing.
#[derive(Clone, Debug, Default)]
pub struct Limit(Option<IntCounter>);

impl Limit {
    /// Counts one hit.
    pub fn hit(&self) {
        if let Some(counter) = &self.0 {
            counter.inc();
        }
    }
}

/// Numbers with the value of their one label, as those of several have them.
fn of_one_label(numbers: Vec<(String, u64)>) -> Vec<(Vec<String>, u64)> {
    numbers.into_iter().map(|(value, number)| (vec![value], number)).collect()
}

/// Registers a collector; see [`Registry::register_source`].
fn register(registry: &prometheus::Registry, collector: Box<dyn prometheus::core::Collector>) {
    if let Err(cause) = registry.register(collector) {
        tracing::error!(%cause, "a metric is registered twice");
    }
}

#[cfg(test)]
mod tests;
