//! What an endpoint said of an HTTP/2 connection in its SETTINGS.
//!
//! hyper reads them, and tells nobody; whoever waits for them has the connection looked at again
//! and again, for a short while.

use std::{
    cell::{Cell, RefCell},
    task::{Context, Waker},
};

use tokio::time::{sleep, timeout};

use crate::proxy::limits::{SETTINGS_PATIENCE, SETTINGS_PAUSE};

/// What an endpoint said of a connection so far.
#[derive(Debug)]
pub(in crate::proxy) struct Told {
    /// How many streams it allows.
    streams: Cell<usize>,
    /// Whether it takes changes of protocol (RFC 8441 section 3).
    changes: Cell<bool>,
    /// Whether the connection ended.
    ended: Cell<bool>,
    /// Looks at the connection.
    looks: RefCell<Option<Waker>>,
}

impl Default for Told {
    fn default() -> Self {
        Self {
            streams: Cell::new(STREAMS_UNTOLD),
            changes: Cell::new(false),
            ended: Cell::new(false),
            looks: RefCell::default(),
        }
    }
}

impl Told {
    /// How many streams it allows.
    pub(super) fn streams(&self) -> usize {
        self.streams.get()
    }

    /// Whether it takes changes of protocol; waits until it could say so.
    pub(in crate::proxy) async fn takes_changes(&self) -> bool {
        let told = async {
            while !self.is_there() {
                if let Some(looks) = &*self.looks.borrow() {
                    looks.wake_by_ref();
                }
                sleep(SETTINGS_PAUSE).await;
            }
        };
        timeout(SETTINGS_PATIENCE, told).await.is_ok() && self.changes.get()
    }

    /// Notes what holds now, and who looks at the connection.
    pub(super) fn hear(&self, streams: usize, changes: bool, cx: &Context<'_>) {
        self.streams.set(streams);
        self.changes.set(changes);
        let mut looks = self.looks.borrow_mut();
        if looks.as_ref().is_none_or(|known| !known.will_wake(cx.waker())) {
            *looks = Some(cx.waker().clone());
        }
    }

    /// Notes that nothing more is said.
    pub(super) fn end(&self) {
        self.ended.set(true);
        self.changes.set(false);
    }

    /// Whether it said anything: then the number of streams is another than the one before.
    fn is_there(&self) -> bool {
        self.ended.get() || self.changes.get() || self.streams.get() != STREAMS_UNTOLD
    }
}

/// Streams that are opened before the endpoint says how many it allows: a number that nobody says.
pub(super) const STREAMS_UNTOLD: usize = 97;
