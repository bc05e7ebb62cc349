//! What may be done at once, and again after a while.

use tokio::time::Instant;

use super::limits::CALM;

/// So many of something at once, and as many in each [`CALM`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Budget {
    spent: u32,
    since: Option<Instant>,
}

impl Budget {
    /// Whether one more is within `most`.
    pub(super) fn spend(&mut self, most: u32, now: Instant) -> bool {
        let begun = *self.since.get_or_insert(now);
        let periods = now.saturating_duration_since(begun).as_secs() / CALM.as_secs().max(1);
        if periods > 0 {
            let restored = u32::try_from(periods).unwrap_or(u32::MAX).saturating_mul(most);
            self.spent = self.spent.saturating_sub(restored);
            self.since = Some(now);
        }
        self.spent += 1;
        self.spent <= most
    }
}
