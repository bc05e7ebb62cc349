//! Endpoints in a table that is filled in turns (Eisenbud et al., "Maglev", NSDI 2016, section
//! 3.4): every endpoint has as many entries as it weighs beside the others, give or take one, and
//! one at least.
//!
//! When endpoints change, a few requests move that would not have to.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::hash;

/// A table.
#[derive(Debug, Default)]
pub struct Table {
    entries: Vec<u32>,
}

impl Table {
    /// A table of endpoints by their names, and what they weigh.
    pub fn new<N: AsRef<[u8]>>(endpoints: impl Iterator<Item = (N, u32)>) -> Self {
        let wishes = endpoints.map(|(name, weight)| Wishes::new(name.as_ref(), weight));
        let mut wishes: Vec<Wishes> = wishes.take(ENTRIES).collect();
        if wishes.is_empty() {
            return Self::default();
        }
        let mut entries = vec![EMPTY; ENTRIES];
        // Who is next, and whose turn comes before others of the same time.
        let mut turns: BinaryHeap<Reverse<(u64, u32)>> =
            (0..).zip(&wishes).map(|(index, _)| Reverse((0, index))).collect();
        for _ in 0..ENTRIES {
            let Some(Reverse((_, index))) = turns.pop() else { break };
            let wishes = usize::try_from(index).ok().and_then(|index| wishes.get_mut(index));
            let Some(wishes) = wishes else { break };
            wishes.take(&mut entries, index);
            turns.push(Reverse((wishes.turn(), index)));
        }
        Self { entries }
    }

    /// The endpoint of a hash, or the next one that may be taken.
    pub fn find(&self, hash: u64, may: impl Fn(usize) -> bool) -> Option<usize> {
        let from = usize::try_from(hash % ENTRIES as u64).ok()?;
        let (before, after) = self.entries.split_at_checked(from)?;
        let entries = after.iter().chain(before);
        let mut entries = entries.filter_map(|index| usize::try_from(*index).ok());
        entries.find(|index| may(*index))
    }
}

/// The order in which an endpoint would have the entries.
struct Wishes {
    next: usize,
    step: usize,
    taken: u64,
    weight: u32,
}

impl Wishes {
    fn new(name: &[u8], weight: u32) -> Self {
        let at = |seed, bound: usize| {
            usize::try_from(hash::seeded(name, seed) % bound as u64).unwrap_or_default()
        };
        let (next, step) = (at(0, ENTRIES), at(1, ENTRIES - 1) + 1);
        Self { next, step, taken: 0, weight: weight.max(1) }
    }

    /// When the next turn comes: the more one weighs, the sooner.
    fn turn(&self) -> u64 {
        (self.taken << TIME_BITS) / u64::from(self.weight)
    }

    /// Takes the first entry that nobody has.
    fn take(&mut self, entries: &mut [u32], index: u32) {
        self.taken += 1;
        for _ in 0..ENTRIES {
            let wished = entries.get_mut(self.next);
            self.next = (self.next + self.step) % ENTRIES;
            if let Some(entry) = wished.filter(|entry| **entry == EMPTY) {
                *entry = index;
                return;
            }
        }
    }
}

/// How many entries a table has: a prime, so that every step leads to all of them.
const ENTRIES: usize = 65_537;
/// How finely the times of turns are told apart; those of all entries are numbers of 64 bits.
const TIME_BITS: u32 = 40;
/// An entry that nobody has.
const EMPTY: u32 = u32::MAX;
