//! How fast a cluster is followed, and how long its API server may take.
//!
//! It measures nothing.

use std::time::Duration;

/// How fast a cluster is followed, and how long its API server may take.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How long it must be quiet before what changed is translated; a stream of changes is
    /// translated at the latest after `QUIET_WAITS_MAX` times this.
    pub quiet: Duration,
    /// How long a watch lasts before it is begun again where it ended; less than 295 s.
    pub watch: Duration,
    /// How long a watch may be silent. Servers send a bookmark every minute.
    pub silence: Duration,
    /// How long the answer to anything else may take.
    pub answer: Duration,
    /// The longest wait between two tries; the first is a tenth of a second.
    pub retry_max: Duration,
    /// How often to look for kinds that the server does not have.
    pub look_again: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            quiet: Duration::from_millis(10),
            watch: Duration::from_secs(285),
            silence: Duration::from_secs(150),
            answer: Duration::from_secs(30),
            retry_max: Duration::from_secs(10),
            look_again: Duration::from_secs(10),
        }
    }
}

impl Pace {
    /// How long to wait after so many failures in a row. It is never the same for everybody: a
    /// server that comes back is not asked by all at once.
    pub(super) fn retry(&self, failures: u32) -> Duration {
        let doubled = RETRY_MIN.saturating_mul(1 << failures.saturating_sub(1).min(DOUBLINGS));
        doubled.min(self.retry_max).mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

/// The wait after the first failure.
const RETRY_MIN: Duration = Duration::from_millis(100);
/// How often the wait is doubled at the most.
const DOUBLINGS: u32 = 10;

#[cfg(test)]
mod tests;
