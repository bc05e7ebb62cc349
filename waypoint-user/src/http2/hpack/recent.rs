//! What an encoder knows that the other side remembers (RFC 7541 section 2.3).
//!
//! A field is remembered when it is sent the second time: what changes with every message never
//! drives out what does not.
//!
//! **Invariant:** it holds exactly what the other side's table holds.

use std::collections::VecDeque;

use super::{FIELD_BYTES, fixed};

/// The fields that the other side remembers, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Recent {
    entries: VecDeque<Entry>,
    size: usize,
    max: usize,
    /// How many were forgotten.
    forgotten: u64,
    /// Made with the first field.
    places: Option<Box<Places>>,
}

/// A field.
#[derive(Debug)]
struct Entry {
    /// Name and value.
    text: Box<[u8]>,
    name_bytes: usize,
    /// The number of the one before it in its place.
    older: u64,
}

/// Where fields are found.
#[derive(Debug)]
struct Places {
    /// The number of the newest field by the hash of its name. Numbers begin with one.
    newest: [u64; PLACES],
    /// Hashes of fields that were sent once.
    sent: [u32; PLACES],
}

/// What is known of a field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Known {
    /// It has this index.
    Field(usize),
    /// Its name has this index.
    Name(usize),
    Nothing,
}

impl Recent {
    pub(super) fn new(max: usize) -> Self {
        Self { max, ..Self::default() }
    }

    /// How large it may be.
    pub(super) fn max(&self) -> usize {
        self.max
    }

    /// Sets how large it may be.
    pub(super) fn resize(&mut self, max: usize) {
        self.max = max;
        self.make_room(0);
    }

    /// What is known of a field.
    pub(super) fn find(&self, (name, hash): (&str, usize), value: &[u8]) -> Known {
        let Some(places) = &self.places else { return Known::Nothing };
        let mut number = places.newest.get(hash % PLACES).copied().unwrap_or_default();
        let mut known = Known::Nothing;
        for _ in 0..LOOKS_MAX {
            let Some((entry, index)) = self.entry(number) else { break };
            if let Some((theirs, text)) = entry.text.split_at_checked(entry.name_bytes)
                && theirs == name.as_bytes()
            {
                if text == value {
                    return Known::Field(index);
                }
                if known == Known::Nothing {
                    known = Known::Name(index);
                }
            }
            number = entry.older;
        }
        known
    }

    /// The field of a number and its index, unless it was forgotten.
    fn entry(&self, number: u64) -> Option<(&Entry, usize)> {
        let place = usize::try_from(number.checked_sub(self.forgotten + 1)?).ok()?;
        let entry = self.entries.get(place)?;
        Some((entry, fixed::LEN + self.entries.len() - place))
    }

    /// Whether a field is to be remembered: if it was sent before, and is not large.
    pub(super) fn wants(&mut self, name_hash: usize, size: usize, value: &[u8]) -> bool {
        if size > self.max / SHARE {
            return false;
        }
        let hash = hash(name_hash, value);
        let places = self.places.get_or_insert_default();
        let place = usize::try_from(hash).unwrap_or_default() % PLACES;
        let Some(sent) = places.sent.get_mut(place) else { return false };
        std::mem::replace(sent, hash) == hash
    }

    /// Remembers a field, and forgets the oldest ones for it.
    pub(super) fn insert(&mut self, (name, hash): (&str, usize), value: &[u8]) {
        let size = FIELD_BYTES + name.len() + value.len();
        self.make_room(size);
        if size > self.max {
            return;
        }
        self.size += size;
        let number = self.forgotten + self.entries.len() as u64 + 1;
        let places = self.places.get_or_insert_default();
        let newest = places.newest.get_mut(hash % PLACES);
        let older = newest.map_or(0, |newest| std::mem::replace(newest, number));
        let text = [name.as_bytes(), value].concat().into();
        self.entries.push_back(Entry { text, name_bytes: name.len(), older });
    }

    /// Forgets the oldest until there is room.
    fn make_room(&mut self, size: usize) {
        while self.size + size > self.max {
            let Some(oldest) = self.entries.pop_front() else { return };
            self.size -= FIELD_BYTES + oldest.text.len();
            self.forgotten += 1;
        }
    }
}

impl Default for Places {
    fn default() -> Self {
        Self { newest: [0; PLACES], sent: [0; PLACES] }
    }
}

/// A number that two fields hardly share.
fn hash(name: usize, value: &[u8]) -> u32 {
    let mut hash = name as u64;
    let mut mix = |word: u64| {
        hash = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^= hash >> 32;
    };
    let (words, rest) = value.as_chunks();
    for word in words {
        mix(u64::from_le_bytes(*word));
    }
    for byte in rest {
        mix(u64::from(*byte));
    }
    mix(value.len() as u64);
    let [.., a, b, c, d] = hash.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// Places of fields.
const PLACES: usize = 64;

/// Fields of one place that are looked at.
const LOOKS_MAX: usize = 8;

/// The part of the table that one field may take.
const SHARE: usize = 4;
