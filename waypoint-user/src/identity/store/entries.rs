//! What is known of each identity, and which is to be asked for next.
//!
//! It knows no issuer and no clock: times are parameters.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use super::{Error, IDENTITIES_MAX};
use crate::{identity::Credentials, mesh::spiffe::SpiffeId};

/// Who is asked for first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Priority {
    /// A connection waits for it.
    RealTime,
    /// A connection may come.
    Warmup,
    /// There is one that still holds.
    Background,
}

/// How it stands with one identity.
#[derive(Clone, Debug)]
pub(super) enum Status {
    /// It is being asked for.
    Asked,
    /// It is there.
    Held(Arc<Credentials>),
    /// It was refused, and will be asked for again.
    Failed(Error),
}

/// One identity.
struct Entry {
    status: watch::Sender<Status>,
    priority: Priority,
    /// When it is asked for next; never while it is being asked for.
    due: Option<Instant>,
    failures: u32,
    wanted: bool,
}

/// All identities.
#[derive(Default)]
pub(super) struct Entries(HashMap<Arc<SpiffeId>, Entry>);

impl Entries {
    /// Wants these and no others; says which went.
    pub(super) fn want(
        &mut self,
        mut identities: BTreeSet<Arc<SpiffeId>>,
        now: Instant,
    ) -> Vec<Arc<SpiffeId>> {
        let mut gone = Vec::new();
        self.0.retain(|identity, entry| {
            entry.wanted = identities.remove(identity);
            // What is being asked for goes when the answer is here.
            let stays = entry.wanted || entry.due.is_none();
            if !stays {
                gone.push(Arc::clone(identity));
            }
            stays
        });
        for identity in identities {
            self.0.insert(identity, Entry::new(Priority::Warmup, now));
        }
        gone
    }

    /// Wants one more, at once; `None` if there are too many.
    pub(super) fn ask(
        &mut self,
        identity: &SpiffeId,
        priority: Priority,
        now: Instant,
    ) -> Option<watch::Receiver<Status>> {
        if !self.0.contains_key(identity) {
            if self.0.len() >= IDENTITIES_MAX {
                return None;
            }
            self.0.insert(Arc::new(identity.clone()), Entry::new(priority, now));
        }
        let entry = self.0.get_mut(identity)?;
        entry.wanted = true;
        if entry.is_past() {
            entry.status.send_replace(Status::Asked);
            entry.due = entry.due.map(|_| now);
        }
        entry.priority = entry.priority.min(priority);
        Some(entry.status.subscribe())
    }

    /// The next to be asked for, which is now under way.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Arc<SpiffeId>> {
        let due = self.0.iter().filter(|(_, entry)| entry.due.is_some_and(|due| due <= now));
        let (identity, _) = due.min_by_key(|(_, entry)| (entry.priority, entry.due))?;
        let identity = Arc::clone(identity);
        let entry = self.0.get_mut(&identity)?;
        entry.due = None;
        entry.status.send_if_modified(|status| {
            let failed = matches!(status, Status::Failed(_));
            if failed {
                *status = Status::Asked;
            }
            failed
        });
        Some(identity)
    }

    /// When the next is to be asked for.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.0.values().filter_map(|entry| entry.due).min()
    }

    /// Takes new credentials, which are renewed at `due`; says whether somebody wants them still.
    pub(super) fn hold(&mut self, credentials: Arc<Credentials>, due: Instant) -> bool {
        let identity = Arc::clone(credentials.identity());
        let Some(entry) = self.0.get_mut(&identity) else { return false };
        entry.status.send_replace(Status::Held(credentials));
        entry.failures = 0;
        self.settle(&identity, due)
    }

    /// Takes a failure; what is held and holds still stays. Gives the time until the next attempt.
    pub(super) fn fail(&mut self, identity: &SpiffeId, cause: Error, now: Instant) -> Duration {
        let Some(entry) = self.0.get_mut(identity) else { return Duration::ZERO };
        if !matches!(&*entry.status.borrow(), Status::Held(held) if held.hold()) {
            entry.status.send_replace(Status::Failed(cause));
        }
        entry.failures = entry.failures.saturating_add(1);
        let wait = backoff(entry.failures);
        self.settle(identity, now + wait);
        wait
    }

    /// After an answer: forgotten if nobody wants it, else asked for again at `due`.
    fn settle(&mut self, identity: &SpiffeId, due: Instant) -> bool {
        let Some(entry) = self.0.get_mut(identity) else { return false };
        if !entry.wanted {
            self.0.remove(identity);
            return false;
        }
        entry.priority = Priority::Background;
        entry.due = Some(due);
        true
    }

    /// Forgets all, so that whoever waits hears of it.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Entry {
    fn new(priority: Priority, now: Instant) -> Self {
        let status = watch::Sender::new(Status::Asked);
        Self { status, priority, due: Some(now), failures: 0, wanted: true }
    }

    /// Whether what is held does not hold any more.
    fn is_past(&self) -> bool {
        matches!(&*self.status.borrow(), Status::Held(held) if !held.hold())
    }
}

/// How long to wait after so many failures: half a second, doubled each time, up to 150 seconds,
/// give or take a fifth.
fn backoff(failures: u32) -> Duration {
    let doubled = BACKOFF_MIN.saturating_mul(1 << failures.saturating_sub(1).min(16));
    doubled.min(BACKOFF_MAX).mul_f64(0.8 + 0.4 * fastrand::f64())
}

/// The wait after the first failure.
const BACKOFF_MIN: Duration = Duration::from_millis(500);

/// The longest wait.
const BACKOFF_MAX: Duration = Duration::from_secs(150);

#[cfg(test)]
mod tests;
