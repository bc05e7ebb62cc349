//! What the mesh does not say yet, as this process knows it.
//!
//! Each process reads manifests for itself, and an agent may have read a label, or of a pod, a
//! moment before its waypoint. So a waypoint, or the agent that takes its tunnels, waits for what
//! it could hear of any moment.
//!
//! **Invariant:** an address that the mesh does not know is not waited for, and only
//! [`BINDING_WAITS_MAX`] wait at a time.

use std::{cell::Cell, rc::Rc};

use tokio::time::timeout;

use crate::{hbone::Authority, mesh::snapshot::Snapshot, select};

use super::{
    limits::{BINDING_PATIENCE, BINDING_WAITS_MAX},
    worker::Worker,
};

/// How many wait at a worker.
#[derive(Default)]
pub(super) struct Waiting(Rc<Cell<usize>>);

/// The right to wait, until this is dropped.
pub(super) struct Turn(Rc<Cell<usize>>);

impl Waiting {
    fn begin(&self) -> Option<Turn> {
        let now = self.0.get();
        (now < BINDING_WAITS_MAX).then(|| {
            self.0.set(now + 1);
            Turn(Rc::clone(&self.0))
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

/// The right to wait for a destination, if it is one that could come to be bound.
pub(super) fn turn_for(worker: &Worker, authority: &Authority) -> Option<Turn> {
    let view = worker.view();
    let is_known = select::addressed(view.snapshot(), authority.into()).is_some();
    is_known.then(|| turn(worker)).flatten()
}

/// The right to wait, if there is one left.
pub(super) fn turn(worker: &Worker) -> Option<Turn> {
    if worker.drain.is_cancelled() {
        return None;
    }
    let turn = worker.waiting.begin();
    if turn.is_none() {
        worker.limits.binding_waits.hit();
    }
    turn
}

/// Waits until the mesh has what is looked for; `None` where it had not in time.
pub(super) async fn until<T>(
    worker: &Worker,
    _turn: Turn,
    found: impl Fn(&Snapshot) -> Option<T>,
) -> Option<T> {
    let mut changes = worker.changes();
    let finding = async {
        loop {
            let found = found(worker.view().snapshot());
            if found.is_some() || changes.changed().await.is_err() {
                return found;
            }
        }
    };
    tokio::select! {
        biased;
        found = timeout(BINDING_PATIENCE, finding) => found.ok().flatten(),
        () = worker.drain.cancelled() => None,
    }
}

#[cfg(test)]
mod tests;
