//! Where Snapshots, Reports and the objects that they were made of leave a source.
//!
//! It makes none of them.
//!
//! **Invariant:** what is published differs from what is in force.

use std::sync::Arc;

use tokio::{sync::watch, task::JoinHandle};

use crate::mesh::{report::Report, snapshot::Snapshot};

use super::{Feed, State, cluster::Counts, journal, objects::Objects};

/// What a source has read, and what it means.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) objects: Arc<Objects>,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) report: Report,
}

/// The sending ends of a [`Feed`].
#[derive(Debug)]
pub(super) struct Outlet {
    snapshots: watch::Sender<Arc<Snapshot>>,
    reports: watch::Sender<Arc<Report>>,
    objects: watch::Sender<Arc<Objects>>,
    states: watch::Sender<State>,
    generation: watch::Sender<u64>,
}

/// The receiving ends of a feed that nobody follows yet.
#[derive(Debug)]
pub(super) struct Unfollowed {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    reports: watch::Receiver<Arc<Report>>,
    objects: watch::Receiver<Arc<Objects>>,
    states: watch::Receiver<State>,
    generation: watch::Receiver<u64>,
}

impl Unfollowed {
    /// The feed, with the task that follows the source, and what that counts.
    pub(super) fn followed_by(self, follower: JoinHandle<()>, counts: Option<Arc<Counts>>) -> Feed {
        let Self { snapshots, reports, objects, states, generation } = self;
        Feed { snapshots, reports, objects, states, generation, follower, counts }
    }
}

impl Outlet {
    /// Publishes what was read first.
    pub(super) fn new(first: Reading) -> (Self, Unfollowed) {
        journal::log(&Report::default(), &first.report);
        let state = State {
            objects: first.objects,
            snapshot: first.snapshot,
            report: Arc::new(first.report),
        };
        let (snapshot_sender, snapshots) = watch::channel(Arc::clone(&state.snapshot));
        let (report_sender, reports) = watch::channel(Arc::clone(&state.report));
        let (object_sender, objects) = watch::channel(Arc::clone(&state.objects));
        let (state_sender, states) = watch::channel(state);
        let (generation_sender, generation) = watch::channel(1);
        let outlet = Self {
            snapshots: snapshot_sender,
            reports: report_sender,
            objects: object_sender,
            states: state_sender,
            generation: generation_sender,
        };
        (outlet, Unfollowed { snapshots, reports, objects, states, generation })
    }

    /// Publishes what differs from what is in force, and logs what is new.
    pub(super) fn publish(&self, reading: Reading) {
        let Reading { objects, snapshot, report } = reading;
        self.objects.send_replace(Arc::clone(&objects));
        self.reports.send_if_modified(|current| {
            let differs = **current != report;
            if differs {
                journal::log(current, &report);
                *current = Arc::new(report);
            }
            differs
        });
        self.snapshots.send_if_modified(|current| {
            let differs = *current != snapshot;
            if differs {
                *current = snapshot;
            }
            differs
        });
        self.states.send_replace(State {
            objects,
            snapshot: Arc::clone(&self.snapshots.borrow()),
            report: Arc::clone(&self.reports.borrow()),
        });
        self.touch();
    }

    /// Tells that the source was read and nothing changed.
    pub(super) fn touch(&self) {
        self.generation.send_modify(|generation| *generation += 1);
    }
}
