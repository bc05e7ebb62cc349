//! Whether the process is ready, as the sum of gates that its parts open.
//!
//! It probes nothing itself: each part knows when it works, and says so through its [`Gate`].
//!
//! **Invariant:** a part that ended is not ready: dropping a gate closes it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// All gates of the process; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<BTreeMap<&'static str, Option<String>>>>);

impl Readiness {
    /// Readiness without gates, which is ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a closed gate for a part of the process.
    pub fn gate(&self, name: &'static str) -> Gate {
        self.gates().insert(name, Some("starting".to_owned()));
        Gate { name, readiness: self.clone() }
    }

    /// Whether all gates are open.
    pub fn is_ready(&self) -> bool {
        self.gates().values().all(Option::is_none)
    }

    /// The closed gates, each with the reason.
    pub fn closed(&self) -> Vec<(&'static str, String)> {
        let gates = self.gates();
        gates.iter().filter_map(|(name, reason)| Some((*name, reason.clone()?))).collect()
    }

    /// The gates; a panic elsewhere leaves them consistent, as each change is one insertion.
    fn gates(&self) -> MutexGuard<'_, BTreeMap<&'static str, Option<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One part's say in readiness; closed until it is opened.
#[derive(Debug)]
pub struct Gate {
    name: &'static str,
    readiness: Readiness,
}

impl Gate {
    /// Says that the part works.
    pub fn open(&self) {
        let before = self.readiness.gates().insert(self.name, None);
        if before.flatten().is_some() {
            tracing::info!(gate = self.name, "ready");
        }
    }

    /// Says that the part does not work, and why.
    pub fn close(&self, reason: impl Into<String>) {
        let reason = reason.into();
        let before = self.readiness.gates().insert(self.name, Some(reason.clone()));
        if before.flatten().as_ref() != Some(&reason) {
            tracing::warn!(gate = self.name, reason, "not ready");
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.readiness.gates().insert(self.name, Some("ended".to_owned()));
    }
}

#[cfg(test)]
mod tests;
