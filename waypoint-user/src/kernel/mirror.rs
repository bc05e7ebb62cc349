//! Makes a table in the kernel equal to what is wanted, by difference.
//!
//! It does not know what the entries mean.
//!
//! **Invariant:** an entry that is wanted before and after is never missing in between, and one
//! that changes is replaced at once.
//! **Invariant:** a full table keeps what it has and loses only what is no longer wanted.

use std::{collections::HashMap, hash::Hash};

use aya::maps::{
    MapData, MapError,
    lpm_trie::{Key, LpmTrie},
};
use nix::libc::{E2BIG, ENOSPC};
use waypoint_common::{addr::Addr, redirect::Range};

use super::{Error, desired::Network};

/// A table that can be changed entry by entry.
pub(super) trait Table<K, V> {
    /// Every entry.
    fn entries(&self) -> Result<HashMap<K, V>, MapError>;
    /// Adds or replaces an entry.
    fn insert(&mut self, key: &K, value: &V) -> Result<(), MapError>;
    /// Removes an entry.
    fn remove(&mut self, key: &K) -> Result<(), MapError>;
}

/// A table, and what is known to be in it.
pub(super) struct Mirror<T, K, V> {
    name: &'static str,
    table: T,
    known: HashMap<K, V>,
}

impl<T, K, V> Mirror<T, K, V>
where
    T: Table<K, V>,
    K: Copy + Eq + Hash,
    V: Copy + Eq,
{
    /// Mirrors into a table, which may have entries of an earlier process.
    pub(super) fn new(name: &'static str, table: T) -> Result<Self, Error> {
        let known = table.entries().map_err(Error::map(name))?;
        Ok(Self { name, table, known })
    }

    /// What is in the table.
    pub(super) fn known(&self) -> &HashMap<K, V> {
        &self.known
    }

    /// How many entries the table has.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Makes the table equal to `wanted`: inserts what is new, then deletes what is stale. When it
    /// is full, everything that fits is in it, and the error says how much is missing.
    pub(super) fn apply(&mut self, wanted: &HashMap<K, V>) -> Result<(), Error> {
        let waiting = self.insert_new(wanted)?;
        let stale: Vec<K> =
            self.known.keys().filter(|key| !wanted.contains_key(key)).copied().collect();
        for key in stale {
            match self.table.remove(&key) {
                Ok(()) | Err(MapError::KeyNotFound) => self.known.remove(&key),
                Err(source) => return Err(Error::Map { name: self.name, source }),
            };
        }
        // Now there may be room for what did not fit before.
        let missing = if waiting == 0 { 0 } else { self.insert_new(wanted)? };
        if missing == 0 { Ok(()) } else { Err(Error::Full { name: self.name, missing }) }
    }

    /// Inserts what is new or different and deletes nothing.
    pub(super) fn add(&mut self, wanted: &HashMap<K, V>) -> Result<(), Error> {
        match self.insert_new(wanted)? {
            0 => Ok(()),
            missing => Err(Error::Full { name: self.name, missing }),
        }
    }

    /// Inserts what is new or different, and says how many entries did not fit.
    fn insert_new(&mut self, wanted: &HashMap<K, V>) -> Result<usize, Error> {
        let mut waiting = 0;
        for (key, value) in wanted {
            if self.known.get(key) == Some(value) {
                continue;
            }
            match self.table.insert(key, value) {
                Ok(()) => {
                    self.known.insert(*key, *value);
                }
                Err(error) if is_full(&error) => waiting += 1,
                Err(source) => return Err(Error::Map { name: self.name, source }),
            }
        }
        Ok(waiting)
    }
}

impl<K, V> Table<K, V> for aya::maps::HashMap<MapData, K, V>
where
    K: aya::Pod + Eq + Hash,
    V: aya::Pod,
{
    fn entries(&self) -> Result<HashMap<K, V>, MapError> {
        self.iter().collect()
    }

    fn insert(&mut self, key: &K, value: &V) -> Result<(), MapError> {
        aya::maps::HashMap::insert(self, key, value, 0)
    }

    fn remove(&mut self, key: &K) -> Result<(), MapError> {
        aya::maps::HashMap::remove(self, key)
    }
}

impl Table<Network, Range> for LpmTrie<MapData, Addr, Range> {
    fn entries(&self) -> Result<HashMap<Network, Range>, MapError> {
        let entry = |(key, range): (Key<Addr>, Range)| {
            let bits = u8::try_from(key.prefix_len()).unwrap_or(u8::MAX);
            (Network { bits, first: key.data() }, range)
        };
        self.iter().map(|found| found.map(entry)).collect()
    }

    fn insert(&mut self, key: &Network, value: &Range) -> Result<(), MapError> {
        LpmTrie::insert(self, &Key::new(u32::from(key.bits), key.first), value, 0)
    }

    fn remove(&mut self, key: &Network) -> Result<(), MapError> {
        LpmTrie::remove(self, &Key::new(u32::from(key.bits), key.first))
    }
}

/// Whether an insertion failed for want of room.
fn is_full(error: &MapError) -> bool {
    let MapError::SyscallError(error) = error else { return false };
    matches!(error.io_error.raw_os_error(), Some(E2BIG | ENOSPC))
}

#[cfg(test)]
mod tests;
