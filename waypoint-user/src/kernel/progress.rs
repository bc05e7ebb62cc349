//! Which Snapshot a mirror of the mesh has put into the kernel.
//!
//! It only says so; nothing waits for it.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::mesh::snapshot::Snapshot;

/// The Snapshot that is in force; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Mutex<Weak<Snapshot>>>);

impl Progress {
    /// Says that this Snapshot is in force, completely.
    pub(super) fn reached(&self, snapshot: &Arc<Snapshot>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(snapshot);
    }

    /// Whether this very Snapshot is in force.
    pub fn has(&self, snapshot: &Arc<Snapshot>) -> bool {
        let reached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::ptr::eq(reached.as_ptr(), Arc::as_ptr(snapshot))
    }
}
