//! Istio's standard metrics, counted by the workers (`istio_*`).
//!
//! A worker resolves a [`Meter`] for a pair of parties once and then only adds. Each worker has a
//! [`Shard`] of its own; a scrape adds the shards up.
//!
//! **Invariant:** a shard holds at most [`LABEL_SETS_MAX`] series of each kind and one more for all
//! that came later; nothing an outsider sends makes it larger.

use std::{
    cell::RefCell,
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};

pub use self::labels::{
    Outcome, Pair, Party, Protocol, Reporter, Security, ServiceLabels, grpc_label,
};
use self::series::{RequestSeries, TcpSeries};
use super::Limit;

pub(super) mod exposition;
mod labels;
mod series;

/// One worker's traffic counters.
#[derive(Debug)]
pub struct Shard {
    requests: Table<Outcome, RequestSeries>,
    connections: Table<&'static str, TcpSeries>,
    full: Limit,
}

impl Shard {
    /// An empty shard; `full` counts series that found no place of their own.
    pub(super) fn new(full: Limit) -> Self {
        Self { requests: Mutex::default(), connections: Mutex::default(), full }
    }

    /// Resolves the counters of a pair of parties.
    pub fn meter(self: &Arc<Self>, pair: Pair) -> Meter {
        Meter {
            shard: Arc::clone(self),
            pair: Arc::new(pair),
            requests: RefCell::default(),
            connections: RefCell::default(),
        }
    }

    /// The series of a key, or the one for everything beyond the limit.
    fn series<K: Eq + Hash, S: Default>(
        &self,
        all: &Table<K, S>,
        key: (Arc<Pair>, K),
        beyond: K,
    ) -> Arc<S> {
        let mut all = lock(all);
        let key = if all.len() < LABEL_SETS_MAX || all.contains_key(&key) {
            key
        } else {
            self.full.hit();
            (Arc::new(Pair::overflow()), beyond)
        };
        Arc::clone(all.entry(key).or_default())
    }
}

/// The counters of one pair of parties, for one worker.
#[derive(Debug)]
pub struct Meter {
    shard: Arc<Shard>,
    pair: Arc<Pair>,
    requests: RefCell<Vec<(Outcome, Arc<RequestSeries>)>>,
    connections: RefCell<Vec<(&'static str, Arc<TcpSeries>)>>,
}

impl Meter {
    /// Counts a request that ended.
    pub fn request(&self, outcome: Outcome, sample: &Sample) {
        let mut known = self.requests.borrow_mut();
        if let Some((_, series)) = known.iter().find(|(seen, _)| *seen == outcome) {
            return series.record(sample);
        }
        let key = (Arc::clone(&self.pair), outcome);
        let series = self.shard.series(&self.shard.requests, key, Outcome::OVERFLOW);
        series.record(sample);
        known.push((outcome, series));
    }

    /// Counts a connection that was opened.
    pub fn opened(&self) {
        self.connection(NO_FLAG, |series| series.opened.fetch_add(1, Ordering::Relaxed));
    }

    /// Counts a connection that was closed, with the response flag that says how.
    pub fn closed(&self, flag: &'static str) {
        self.connection(flag, |series| series.closed.fetch_add(1, Ordering::Relaxed));
    }

    /// Counts a connection that did not come about, with the response flag that says why.
    pub fn failed(&self, flag: &'static str) {
        self.connection(flag, |series| series.failed.fetch_add(1, Ordering::Relaxed));
    }

    /// Counts bytes sent to the client.
    pub fn sent(&self, bytes: u64) {
        self.connection(NO_FLAG, |series| series.sent_bytes.fetch_add(bytes, Ordering::Relaxed));
    }

    /// Counts bytes received from the client.
    pub fn received(&self, bytes: u64) {
        self.connection(NO_FLAG, |series| {
            series.received_bytes.fetch_add(bytes, Ordering::Relaxed)
        });
    }

    /// Adds to the series of a response flag.
    fn connection(&self, flag: &'static str, add: impl FnOnce(&TcpSeries) -> u64) {
        let mut known = self.connections.borrow_mut();
        if let Some((_, series)) = known.iter().find(|(seen, _)| *seen == flag) {
            add(series);
            return;
        }
        let key = (Arc::clone(&self.pair), flag);
        let series = self.shard.series(&self.shard.connections, key, NO_FLAG);
        add(&series);
        known.push((flag, series));
    }
}

/// Series by pair of parties and by how it ended.
type Table<K, S> = Mutex<HashMap<(Arc<Pair>, K), Arc<S>>>;

/// What is measured of a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// From the first byte of the request to the last of the response.
    pub duration: Duration,
    /// Head and body of the request.
    pub request_bytes: u64,
    /// Head and body of the response.
    pub response_bytes: u64,
}

/// The content of a lock; each change is one insertion, so a panic elsewhere leaves it whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Most series of each kind that a worker keeps; what comes later counts in one series whose labels
/// all say `overflow`.
pub const LABEL_SETS_MAX: usize = 10_000;

/// The response flag of what ended well.
pub const NO_FLAG: &str = "-";

#[cfg(test)]
mod tests;
