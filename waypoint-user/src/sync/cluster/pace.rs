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
    /// The longest wait between two tries; the first is a tenth of a second. It bounds for how
    /// long agents and waypoints that were cut off from their API server differ about the mesh when
    /// it is back, and waypoints refuse what agents still send by what was. A process asks for each
    /// of some twenty selections once in that time, while the server does not answer.
    pub retry_max: Duration,
    /// How often to look for kinds that the server does not have, and for what it forbids.
    pub look_again: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            quiet: Duration::from_millis(10),
            watch: Duration::from_secs(285),
            silence: Duration::from_secs(150),
            answer: Duration::from_secs(30),
            retry_max: Duration::from_secs(2),
            look_again: Duration::from_secs(10),
        }
    }
}

impl Pace {
    /// How long to wait after so many failures in a row, of which the last was a refusal or not. It
    /// is never the same for everybody: a server that comes back is not asked by all at once.
    pub(super) fn retry(&self, failures: u32, is_denied: bool) -> Duration {
        let doubled = RETRY_MIN.saturating_mul(1 << failures.saturating_sub(1).min(DOUBLINGS));
        let most = if is_denied { self.look_again } else { self.retry_max };
        doubled.min(most).mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

/// The wait after the first failure.
const RETRY_MIN: Duration = Duration::from_millis(100);
/// How often the wait is doubled at the most.
const DOUBLINGS: u32 = 10;

#[cfg(test)]
mod tests;
