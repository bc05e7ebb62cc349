//! One endpoint after the other; new ones are passed over in some of the rounds.
//!
//! **Invariant:** where every share is full, the numbers of requests of any two endpoints differ by
//! one at most.

use super::FULL;

/// Whose turn it is.
#[derive(Clone, Debug, Default)]
pub struct RoundRobin {
    next: usize,
    /// What each candidate has saved up, in thousandths of a turn.
    saved: Vec<u32>,
}

impl RoundRobin {
    /// The candidate whose turn it is. `share` is how much of an even part each gets, in
    /// thousandths; one of zero is left out.
    pub fn choose(&mut self, candidates: usize, share: impl Fn(usize) -> u32) -> Option<usize> {
        self.saved.resize(candidates, 0);
        for _ in 0..candidates.saturating_mul(ROUNDS_MAX) {
            let turn = self.next.checked_rem(candidates)?;
            self.next = turn + 1;
            let saved = self.saved.get_mut(turn)?;
            *saved += share(turn).min(FULL);
            if *saved >= FULL {
                *saved -= FULL;
                return Some(turn);
            }
        }
        None
    }
}

/// Rounds after which even the smallest share has had a turn.
const ROUNDS_MAX: usize = FULL as usize;
