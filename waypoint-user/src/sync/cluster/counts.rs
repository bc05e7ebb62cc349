//! What reading a cluster costs, and how current it is, counted.
//!
//! It exports nothing by itself; a role registers it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::telemetry::metrics::Registry;

/// Counted since the process began.
#[derive(Debug, Default)]
pub struct Counts(Mutex<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    objects: BTreeMap<&'static str, u64>,
    versions: BTreeMap<&'static str, u64>,
    restarts: BTreeMap<(&'static str, &'static str), u64>,
    heard: BTreeMap<&'static str, Instant>,
    lag: Duration,
    translation: Duration,
}

impl Counts {
    /// An event of a kind arrived.
    pub(super) fn heard(&self, kind: &'static str) {
        self.change(|numbers| {
            numbers.heard.insert(kind, Instant::now());
        });
    }

    /// A watch of a kind ended or failed.
    pub(super) fn restarted(&self, kind: &'static str, reason: &'static str) {
        self.change(|numbers| *numbers.restarts.entry((kind, reason)).or_default() += 1);
    }

    /// So many objects of a kind are held.
    pub(super) fn holds(&self, kind: &'static str, objects: usize) {
        let objects = u64::try_from(objects).unwrap_or(u64::MAX);
        self.change(|numbers| {
            numbers.objects.insert(kind, objects);
        });
    }

    /// What was published has everything of a kind up to this resource version.
    pub(super) fn reached(&self, kind: &'static str, version: u64) {
        self.change(|numbers| {
            numbers.versions.insert(kind, version);
        });
    }

    /// Something was published; `lag` after the oldest of what is new in it arrived.
    pub(super) fn published(&self, lag: Duration, translation: Duration) {
        self.change(|numbers| {
            numbers.lag = lag;
            numbers.translation = translation;
        });
    }

    /// Exports everything that is counted here.
    pub(in crate::sync) fn export(self: &Arc<Self>, registry: &Registry) {
        let counts = || Arc::clone(self);
        let (held, ended, heard, timed) = (counts(), counts(), counts(), counts());
        let reached = counts();
        let help = "Newest resource version of what is published.";
        let name = "waypoint_sync_resource_version";
        registry.gauge_source(name, help, "kind", move || reached.versions());
        let help = "Objects of the cluster that are held.";
        registry.gauge_source("waypoint_sync_objects", help, "kind", move || held.objects());
        let (name, labels) = ("waypoint_sync_watch_restarts_total", &["kind", "reason"]);
        let help = "Watches that ended or failed.";
        registry.labelled_counter_source(name, help, labels, move || ended.restarts());
        let name = "waypoint_sync_last_event_age_seconds";
        let help = "Seconds since the API server was heard of last.";
        registry.gauge_source(name, help, "kind", move || heard.ages());
        let help = "Microseconds that the last change took, from its arrival to its publication, \
                    and of that to translate everything.";
        let name = "waypoint_sync_lag_microseconds";
        registry.gauge_source(name, help, "stage", move || timed.lags());
    }

    fn objects(&self) -> Vec<(String, u64)> {
        self.change(|numbers| numbers.objects.iter().map(|(k, n)| ((*k).to_owned(), *n)).collect())
    }

    fn versions(&self) -> Vec<(String, u64)> {
        let told = |(kind, version): (&&str, &u64)| ((*kind).to_owned(), *version);
        self.change(|numbers| numbers.versions.iter().map(told).collect())
    }

    fn restarts(&self) -> Vec<(Vec<String>, u64)> {
        self.change(|numbers| {
            let counted = numbers.restarts.iter();
            counted.map(|((k, why), n)| (vec![(*k).to_owned(), (*why).to_owned()], *n)).collect()
        })
    }

    fn ages(&self) -> Vec<(String, u64)> {
        self.change(|numbers| {
            let heard = numbers.heard.iter();
            heard.map(|(kind, at)| ((*kind).to_owned(), at.elapsed().as_secs())).collect()
        })
    }

    fn lags(&self) -> Vec<(String, u64)> {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.change(|numbers| {
            let (all, part) = (micros(numbers.lag), micros(numbers.translation));
            vec![("publication".to_owned(), all), ("translation".to_owned(), part)]
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut Numbers) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
