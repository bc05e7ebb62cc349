//! Blocks of fields as HTTP/2 sends them (HPACK, RFC 7541). It knows no frames and no streams.
//!
//! A decoder and an encoder each serve one direction of one connection, because what they remember
//! of the blocks before is a part of what a block says.
//!
//! **Invariant:** a decoder never remembers more than was agreed, as that is counted, and what it
//! remembers shares no memory with the blocks that it came in. (In memory it is up to some six
//! times that: small fields take more than the 32 bytes that are counted for each.)
//! **Invariant:** after an error nothing can be decoded any more: the connection must end.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

pub use self::{decoder::Decoder, encoder::Encoder};

mod decoder;
mod encoder;
mod fixed;
mod huffman;
mod integer;
mod recent;
mod table;

/// A field of a block.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Field {
    /// A part of the control data (RFC 9113 section 8.3). Of its value nothing was looked at.
    Pseudo(Pseudo, Bytes),
    /// A header or trailer field. Its value is sensitive where it must never be indexed.
    Header(HeaderName, HeaderValue),
    /// One that makes its message malformed (RFC 9113 section 8.2.1): an upper-case letter in the
    /// name, a pseudo field that is not known, a value that none can have.
    Malformed,
}

/// Names of pseudo fields (RFC 9113 section 8.3, RFC 8441 section 4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pseudo {
    /// `:authority`
    Authority,
    /// `:method`
    Method,
    /// `:path`
    Path,
    /// `:protocol`
    Protocol,
    /// `:scheme`
    Scheme,
    /// `:status`
    Status,
}

impl Pseudo {
    fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b":authority" => Self::Authority,
            b":method" => Self::Method,
            b":path" => Self::Path,
            b":protocol" => Self::Protocol,
            b":scheme" => Self::Scheme,
            b":status" => Self::Status,
            _ => return None,
        })
    }
}

/// What became of a block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// Every field was told.
    Whole,
    /// The fields together are larger than was allowed; those from there on were not told.
    TooLarge,
}

/// Why a block cannot be decoded; the connection ends with `COMPRESSION_ERROR`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CompressionError {
    /// The block ends within a field.
    #[error("the block ends within a field")]
    Truncated,
    /// A number is larger than any that a block could mean.
    #[error("a number of the block is too large")]
    Integer,
    /// Nothing has that index.
    #[error("the block refers to a field that is in no table")]
    Index,
    /// The table is resized behind a field, or beyond what was agreed.
    #[error("the block resizes the table where or as it must not")]
    Resize,
    /// What is Huffman-coded has a code that is none, or ends in something else than padding.
    #[error("a Huffman-coded text of the block has no end, or more than one")]
    Huffman,
}

/// How large a table is until something else is agreed (RFC 9113 section 6.5.2).
pub const TABLE_BYTES: usize = 4096;

/// What a field counts beside its name and value (RFC 7541 section 4.1).
pub const FIELD_BYTES: usize = 32;

#[cfg(test)]
mod tests;
