//! What a decoder remembers (RFC 7541 section 2.3).

use std::collections::VecDeque;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use super::{CompressionError, FIELD_BYTES, Field, Pseudo, fixed};

/// A name, parsed once.
#[derive(Clone, Debug)]
pub(super) enum Name {
    Pseudo(Pseudo),
    Header(HeaderName),
    Malformed,
}

/// A value, looked at once.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Pseudo(Bytes),
    Header(HeaderValue),
    Malformed,
}

/// A field that has an index.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: Name,
    value: Value,
    /// The length of the name.
    pub(super) name_bytes: usize,
    /// The size of all, as it is counted.
    pub(super) size: usize,
}

impl Name {
    pub(super) fn parse(name: &[u8]) -> Self {
        if name.starts_with(b":") {
            return Pseudo::of(name).map_or(Self::Malformed, Self::Pseudo);
        }
        // That takes a quotation mark, too, which is in no token (RFC 9110 section 5.6.2).
        if name.contains(&b'"') {
            return Self::Malformed;
        }
        HeaderName::from_lowercase(name).map_or(Self::Malformed, Self::Header)
    }
}

impl Value {
    /// The value of a field of this name.
    pub(super) fn parse(name: &Name, value: Bytes) -> Self {
        match name {
            Name::Pseudo(_) => Self::Pseudo(value),
            Name::Header(_) if !is_padded(&value) => {
                HeaderValue::from_maybe_shared(value).map_or(Self::Malformed, Self::Header)
            }
            _ => Self::Malformed,
        }
    }

    /// Notes that whoever sends it on must not index it either (RFC 7541 section 6.2.3).
    pub(super) fn set_sensitive(&mut self) {
        if let Self::Header(value) = self {
            value.set_sensitive(true);
        }
    }
}

/// Whether a value begins or ends with white space, which none may (RFC 9113 section 8.2.1).
fn is_padded(value: &[u8]) -> bool {
    value.trim_ascii().len() != value.len()
}

/// A name and a value as one field.
pub(super) fn field(name: Name, value: Value) -> Field {
    match (name, value) {
        (Name::Pseudo(name), Value::Pseudo(value)) => Field::Pseudo(name, value),
        (Name::Header(name), Value::Header(value)) => Field::Header(name, value),
        _ => Field::Malformed,
    }
}

impl Entry {
    /// One that both sides know.
    pub(super) fn fixed((name, value): (&'static str, &'static str)) -> Self {
        let (known, name_bytes) = (Name::parse(name.as_bytes()), name.len());
        let size = FIELD_BYTES + name.len() + value.len();
        let value = Value::parse(&known, Bytes::from_static(value.as_bytes()));
        Self { name: known, value, name_bytes, size }
    }

    /// One whose value gets memory of its own.
    pub(super) fn new((name, name_bytes): (Name, usize), value: &[u8]) -> Self {
        let size = FIELD_BYTES + name_bytes + value.len();
        let value = Value::parse(&name, Bytes::copy_from_slice(value));
        Self { name, value, name_bytes, size }
    }

    pub(super) fn field(&self) -> Field {
        field(self.name.clone(), self.value.clone())
    }
}

/// The fields that a decoder remembers, the newest first.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: VecDeque<Entry>,
    size: usize,
    max: usize,
}

impl Table {
    pub(super) fn new(max: usize) -> Self {
        Self { max, ..Self::default() }
    }

    /// The field of an index, of those that both sides know or of these.
    pub(super) fn get(&self, index: usize) -> Result<&Entry, CompressionError> {
        let found = match index.checked_sub(fixed::LEN + 1) {
            None => fixed::entry(index),
            Some(place) => self.entries.get(place),
        };
        found.ok_or(CompressionError::Index)
    }

    /// Sets how large it may be.
    pub(super) fn resize(&mut self, max: usize) {
        self.max = max;
        self.make_room(0);
    }

    /// Whether a field that is counted so finds room in it.
    pub(super) fn holds(&self, size: usize) -> bool {
        size <= self.max
    }

    /// Remembers a field, and forgets the oldest ones for it. One that is too large leaves nothing.
    pub(super) fn insert(&mut self, entry: Entry) {
        self.make_room(entry.size);
        if self.holds(entry.size) {
            self.size += entry.size;
            self.entries.push_front(entry);
        }
    }

    /// Forgets the oldest until there is room.
    pub(super) fn make_room(&mut self, size: usize) {
        while self.size + size > self.max {
            let Some(oldest) = self.entries.pop_back() else { return };
            self.size -= oldest.size;
        }
    }
}
