//! How far a request's body has come, as all who need to know it share it.
//!
//! It reads nothing; whoever reads the body says so here.

use std::{cell::Cell, rc::Rc};

use tokio::time::Instant;

use crate::proxy::respond::Fault;

use super::super::client_body::{Breach, RequestBroken};

/// How far a request's body has come.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Progress {
    /// Bytes so far.
    pub(in crate::proxy) bytes: Rc<Cell<u64>>,
    /// Whether all of it was sent on.
    pub(in crate::proxy) ended: Cell<bool>,
    /// How the client broke it off.
    broken: Cell<Option<Breach>>,
    /// When it moved last, where somebody watches that.
    moved: Cell<Option<Instant>>,
}

impl Progress {
    /// Notes that so much more of it came.
    pub(in crate::proxy::http) fn advance(&self, bytes: usize) {
        self.bytes.set(self.bytes.get() + bytes as u64);
        if self.moved.get().is_some() {
            self.moved.set(Some(Instant::now()));
        }
    }

    /// Notes from now on when it moves.
    pub(in crate::proxy::http) fn watch(&self) {
        self.moved.set(Some(Instant::now()));
    }

    /// When it moved last, since it is watched.
    pub(in crate::proxy::http) fn moved(&self) -> Option<Instant> {
        self.moved.get()
    }

    /// Notes how the client broke the body off.
    pub(in crate::proxy::http) fn broke(&self, cause: &RequestBroken) {
        self.broken.set(Some(cause.breach()));
    }

    /// Whether the client broke the body off.
    pub(in crate::proxy::http) fn is_broken(&self) -> bool {
        self.broken.get().is_some()
    }

    /// What really went wrong when a fault was seen.
    pub(in crate::proxy::http) fn blame(&self, fault: Fault) -> Fault {
        match self.broken.get() {
            Some(Breach::Gone) => Fault::ClientGone,
            Some(Breach::Malformed) => Fault::BadRequest("the body is malformed"),
            None => fault,
        }
    }
}
