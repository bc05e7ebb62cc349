//! Which Snapshot every worker goes by.
//!
//! Nothing waits for it but whoever must tell others.
//!
//! **Invariant:** a Snapshot that is told is the one that every request goes by which begins from
//! then on, or was already replaced by a later one; its route tables are compiled.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::mesh::snapshot::Snapshot;

/// What each worker goes by; clones share it.
#[derive(Clone, Debug)]
pub(super) struct InForce {
    of_workers: Arc<Mutex<Vec<Option<Arc<Snapshot>>>>>,
    all: watch::Sender<Option<Arc<Snapshot>>>,
}

impl InForce {
    /// Of so many workers that go by nothing yet.
    pub(super) fn new(workers: usize) -> Self {
        let of_workers = Arc::new(Mutex::new(vec![None; workers]));
        Self { of_workers, all: watch::Sender::new(None) }
    }

    /// Says what a worker goes by from now on.
    pub(super) fn reached(&self, worker: usize, snapshot: &Arc<Snapshot>) {
        let mut of_workers = self.of_workers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(one) = of_workers.get_mut(worker) {
            *one = Some(Arc::clone(snapshot));
        }
        let is_same = |one: &Option<Arc<Snapshot>>| {
            one.as_ref().is_some_and(|one| Arc::ptr_eq(one, snapshot))
        };
        if of_workers.iter().all(is_same) {
            self.all.send_replace(Some(Arc::clone(snapshot)));
        }
    }

    /// The last Snapshot that all of them went by.
    pub(super) fn of_all(&self) -> watch::Receiver<Option<Arc<Snapshot>>> {
        self.all.subscribe()
    }
}

#[cfg(test)]
mod tests;
