//! Makes blocks of fields.
//!
//! **Invariant:** credentials of HTTP itself and cookies, paths, and what came as never to be
//! indexed, are indexed by nobody: the size of a block tells nothing about them. Other fields that
//! hold secrets (`x-api-key`) are, where nobody marked them, in a table that all share whose
//! requests go by the connection (RFC 7541 section 7.1.3).

use bytes::{BufMut, BytesMut};
use http::{HeaderName, HeaderValue, Method, StatusCode};

use super::{
    FIELD_BYTES, TABLE_BYTES, fixed, integer,
    recent::{Known, Recent},
};

/// Makes the blocks of one direction of a connection.
#[derive(Debug)]
pub struct Encoder {
    recent: Recent,
    /// The smallest size that the table had since the last block, if it had another.
    resized: Option<usize>,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    /// One for a side that has said nothing yet.
    pub fn new() -> Self {
        Self { recent: Recent::new(TABLE_BYTES), resized: None }
    }

    /// Notes how much the other side remembers at most; more than usual is not used.
    pub fn set_peer_max(&mut self, table_size_max: usize) {
        let max = table_size_max.min(TABLE_BYTES);
        if max != self.recent.max() {
            self.recent.resize(max);
            self.resized = Some(self.resized.map_or(max, |least| least.min(max)));
        }
    }

    /// Begins a block.
    pub fn begin(&mut self, output: &mut BytesMut) {
        if let Some(least) = self.resized.take() {
            integer::put(least, 5, RESIZE, output);
            if least != self.recent.max() {
                integer::put(self.recent.max(), 5, RESIZE, output);
            }
        }
    }

    /// Appends `:method`.
    pub fn method(&mut self, method: &Method, output: &mut BytesMut) {
        match *method {
            Method::GET => integer::put(2, 7, INDEXED, output),
            Method::POST => integer::put(3, 7, INDEXED, output),
            _ => literal((2, ":method"), method.as_str().as_bytes(), PLAIN, output),
        }
    }

    /// Appends `:scheme`.
    pub fn scheme(&mut self, scheme: &str, output: &mut BytesMut) {
        match scheme {
            "http" => integer::put(6, 7, INDEXED, output),
            "https" => integer::put(7, 7, INDEXED, output),
            _ => literal((6, ":scheme"), scheme.as_bytes(), PLAIN, output),
        }
    }

    /// Appends `:authority`.
    pub fn authority(&mut self, authority: &str, output: &mut BytesMut) {
        self.remembered((":authority", Some(1)), authority.as_bytes(), output);
    }

    /// Appends `:path`, which nobody else may index either: a query may hold a secret, and whether
    /// it came as one is not known any more.
    pub fn path(&mut self, path: &str, output: &mut BytesMut) {
        match path {
            "/" => integer::put(4, 7, INDEXED, output),
            _ => literal((4, ":path"), path.as_bytes(), NEVER_INDEXED, output),
        }
    }

    /// Appends `:protocol`.
    pub fn protocol(&mut self, protocol: &str, output: &mut BytesMut) {
        self.remembered((":protocol", None), protocol.as_bytes(), output);
    }

    /// Appends `:status`.
    pub fn status(&mut self, status: StatusCode, output: &mut BytesMut) {
        let index = match status.as_u16() {
            200 => 8,
            204 => 9,
            206 => 10,
            304 => 11,
            400 => 12,
            404 => 13,
            500 => 14,
            _ => return literal((8, ":status"), status.as_str().as_bytes(), PLAIN, output),
        };
        integer::put(index, 7, INDEXED, output);
    }

    /// Appends a field. Blanks at the ends of its value are left out, because with them it would be
    /// malformed (RFC 9113 section 8.2.1), where HTTP/1 passes over them.
    pub fn field(&mut self, name: &HeaderName, value: &HeaderValue, output: &mut BytesMut) {
        let (name, text) = (name.as_str(), value.as_bytes().trim_ascii());
        let fixed = fixed::find(name, fixed::hash(name.as_bytes()));
        let index = fixed.map(|(index, _)| index);
        let named = (index.unwrap_or_default(), name);
        if value.is_sensitive() || index.is_some_and(is_secret) {
            literal(named, text, NEVER_INDEXED, output);
        } else if fixed.is_some_and(|(_, value)| value.as_bytes() == text) {
            integer::put(named.0, 7, INDEXED, output);
        } else if index.is_some_and(changes) {
            literal(named, text, PLAIN, output);
        } else {
            self.remembered((name, index), text, output);
        }
    }

    /// Appends a field by its index if it has one, and gives it one if it comes again and again.
    fn remembered(
        &mut self,
        (name, fixed): (&str, Option<usize>),
        value: &[u8],
        output: &mut BytesMut,
    ) {
        let hashed = (name, fixed::hash(name.as_bytes()));
        let index = match self.recent.find(hashed, value) {
            Known::Field(index) => return integer::put(index, 7, INDEXED, output),
            Known::Name(index) => fixed.unwrap_or(index),
            Known::Nothing => fixed.unwrap_or_default(),
        };
        let size = FIELD_BYTES + name.len() + value.len();
        if self.recent.wants(hashed.1, size, value) {
            literal((index, name), value, REMEMBERED, output);
            self.recent.insert(hashed, value);
        } else {
            literal((index, name), value, PLAIN, output);
        }
    }
}

/// Appends a field whose value has no index, and whose name has one or, with zero, has none.
fn literal(
    (index, name): (usize, &str),
    value: &[u8],
    (flags, prefix): (u8, u32),
    output: &mut BytesMut,
) {
    // For most fields this is the only time that there is not enough.
    output.reserve(LENGTHS_BYTES + name.len() + value.len());
    integer::put(index, prefix, flags, output);
    if index == 0 {
        integer::put(name.len(), 7, 0, output);
        output.put_slice(name.as_bytes());
    }
    integer::put(value.len(), 7, 0, output);
    output.put_slice(value);
}

/// Whether a field that both sides know by this index says who somebody is: `authorization`,
/// `cookie`, `proxy-authorization` and `set-cookie`.
fn is_secret(index: usize) -> bool {
    matches!(index, 23 | 32 | 49 | 55)
}

/// Whether its value is hardly ever the same twice: ages, dates, lengths, ranges and versions.
fn changes(index: usize) -> bool {
    matches!(index, 21 | 28 | 30 | 33 | 34 | 36 | 39..=44 | 50)
}

/// The first bits of a field that has an index.
const INDEXED: u8 = 0x80;

/// The first bits of what resizes the table.
const RESIZE: u8 = 0x20;

/// The first bits of a field that gets an index, and how many bits are left beside them.
const REMEMBERED: (u8, u32) = (0x40, 6);

/// The same for one that gets none.
const PLAIN: (u8, u32) = (0x00, 4);

/// The same for one that must get none on its further way either.
const NEVER_INDEXED: (u8, u32) = (0x10, 4);

/// What an index and two lengths take at most, if the lengths are those of fields.
const LENGTHS_BYTES: usize = 12;
