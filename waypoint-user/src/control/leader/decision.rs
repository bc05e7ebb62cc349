//! What to do about a Lease: take it, renew it, or wait.
//!
//! It does no I/O.

use std::time::Duration;

use tokio::time::Instant;

use super::Record;

/// What to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// It is nobody's, or its holder does not renew it.
    Take,
    /// It is ours.
    Renew,
    /// It is somebody else's.
    Wait,
}

/// What was seen of a Lease, and since when it is like that.
#[derive(Debug, Default)]
pub(super) struct Sight(Option<(Record, Instant)>);

impl Sight {
    /// What to do about the Lease as it is now.
    pub(super) fn judge(&mut self, there: Option<&Record>, me: &str, now: Instant) -> Step {
        let Some(there) = there.filter(|there| !there.holder.is_empty()) else {
            self.0 = None;
            return Step::Take;
        };
        if there.holder == me {
            return Step::Renew;
        }
        let since = match &self.0 {
            Some((seen, since)) if seen == there => *since,
            _ => {
                self.0 = Some((there.clone(), now));
                now
            }
        };
        let duration = Duration::from_secs(there.duration_seconds.into());
        if now.duration_since(since) < duration { Step::Wait } else { Step::Take }
    }
}
