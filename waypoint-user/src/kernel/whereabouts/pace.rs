//! How often the node's processes are looked at for pods that are not found.
//!
//! Whoever asks says what time it is.
//!
//! **Invariant:** two looks are [`PAUSE_MIN`] apart at least; when nothing is new, each wait is
//! twice the one before, up to [`PAUSE_MAX`].

use std::time::{Duration, Instant};

/// When it was looked last, and how long the next look waits.
#[derive(Debug)]
pub(super) struct Pace {
    last: Option<Instant>,
    pause: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { last: None, pause: PAUSE_MIN }
    }
}

impl Pace {
    /// Whether it is time to look.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.last.is_none_or(|last| now.saturating_duration_since(last) >= self.pause)
    }

    /// When it will be.
    pub(super) fn next(&self) -> Instant {
        self.last.map_or_else(Instant::now, |last| last + self.pause)
    }

    /// Something is new: the next look need not wait for long.
    pub(super) fn hurry(&mut self) {
        self.pause = PAUSE_MIN;
    }

    /// It was looked, and the next time is later.
    pub(super) fn looked(&mut self, now: Instant) {
        self.last = Some(now);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
    }
}

/// Between two looks at least.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// Between two looks at most, while a pod is not found.
const PAUSE_MAX: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests;
