//! One change on the desk: when it may be made, and how often it was made before.
//!
//! It makes nothing.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::control::writer::Change;

/// One change.
#[derive(Debug)]
pub(super) struct Entry {
    change: Arc<Change>,
    wanted: bool,
    /// The change that is being written.
    running: Option<Arc<Change>>,
    /// Whether it was written with success.
    done: bool,
    due: Instant,
    repeats: u32,
    touched: Instant,
}

impl Entry {
    /// A change that may be made at once.
    pub(super) fn new(change: Arc<Change>, now: Instant) -> Self {
        let (wanted, running, done) = (true, None, false);
        Self { change, wanted, running, done, due: now, repeats: 0, touched: now }
    }

    /// It is not wanted, or it is so.
    pub(super) fn set_aside(&mut self) {
        self.wanted = false;
    }

    /// It is wanted, perhaps again: then with a pause, in which the news that it is so may arrive.
    pub(super) fn want(&mut self, change: Arc<Change>, now: Instant) {
        self.wanted = true;
        if self.change != change {
            *self = Self { running: self.running.take(), ..Self::new(change, now) };
        } else if std::mem::take(&mut self.done) {
            self.due = self.touched + pause(self.repeats);
            self.repeats = self.repeats.saturating_add(1);
        }
    }

    /// Whether nothing needs to be remembered of it.
    pub(super) fn is_forgotten(&self, now: Instant) -> bool {
        !self.wanted && self.running.is_none() && now >= self.touched + MEMORY
    }

    /// When it is to be started, unless it is under way or not wanted.
    pub(super) fn waits_until(&self) -> Option<Instant> {
        (self.wanted && !self.done && self.running.is_none()).then_some(self.due)
    }

    /// The change, if it is to be made now.
    pub(super) fn start(&mut self, now: Instant) -> Option<Arc<Change>> {
        self.waits_until().filter(|due| *due <= now)?;
        self.running = Some(Arc::clone(&self.change));
        self.running.clone()
    }

    /// It was made, or it failed; says how often so far.
    pub(super) fn settle(&mut self, success: bool, now: Instant) -> u32 {
        self.touched = now;
        let made = self.running.take();
        // What was made may no longer be what is wanted.
        if made.as_ref() != Some(&self.change) {
            return 0;
        }
        let repeats = self.repeats;
        self.done = success;
        if !success {
            self.due = now + pause(self.repeats);
            self.repeats = self.repeats.saturating_add(1);
        }
        repeats
    }
}

/// How long to wait after so many repeats.
fn pause(repeats: u32) -> Duration {
    let factor = 2_u32.saturating_pow(repeats.min(16));
    PAUSE.saturating_mul(factor).min(PAUSE_MAX)
}

/// The first pause before the same is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest.
const PAUSE_MAX: Duration = Duration::from_mins(5);
/// How long a change is remembered that is not wanted, so that it is known when somebody undid it.
const MEMORY: Duration = Duration::from_mins(15);
