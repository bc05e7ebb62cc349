//! Endpoints in a table that is filled in turns (Eisenbud et al., "Maglev", NSDI 2016, section
//! 3.4): every endpoint has as many entries as any other, give or take one.
//!
//! When endpoints change, a few requests move that would not have to.

use super::hash;

/// A table.
#[derive(Debug, Default)]
pub struct Table {
    entries: Vec<u32>,
}

impl Table {
    /// A table of endpoints by their names.
    pub fn new<N: AsRef<[u8]>>(names: impl Iterator<Item = N>) -> Self {
        let mut wishes: Vec<Wishes> = names.map(|name| Wishes::new(name.as_ref())).collect();
        wishes.truncate(ENTRIES);
        if wishes.is_empty() {
            return Self::default();
        }
        let mut entries = vec![EMPTY; ENTRIES];
        let mut left = ENTRIES;
        'filling: loop {
            for (index, wishes) in (0_u32..).zip(&mut wishes) {
                if wishes.take(&mut entries, index) {
                    left -= 1;
                }
                if left == 0 {
                    break 'filling;
                }
            }
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
}

impl Wishes {
    fn new(name: &[u8]) -> Self {
        let at = |seed, bound: usize| {
            usize::try_from(hash::seeded(name, seed) % bound as u64).unwrap_or_default()
        };
        Self { next: at(0, ENTRIES), step: at(1, ENTRIES - 1) + 1 }
    }

    /// Takes the first entry that nobody has; whether there was one.
    fn take(&mut self, entries: &mut [u32], index: u32) -> bool {
        for _ in 0..ENTRIES {
            let wished = entries.get_mut(self.next);
            self.next = (self.next + self.step) % ENTRIES;
            if let Some(entry) = wished.filter(|entry| **entry == EMPTY) {
                *entry = index;
                return true;
            }
        }
        false
    }
}

/// How many entries a table has: a prime, so that every step leads to all of them.
const ENTRIES: usize = 65_537;
/// An entry that nobody has.
const EMPTY: u32 = u32::MAX;
