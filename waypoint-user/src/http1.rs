//! HTTP/1.1 as bytes (RFC 9112): heads, and how bodies are framed. It reads and writes no socket.
//!
//! **Invariant:** what frames a message that leaves is made here, never copied from one that came.
//! **Invariant:** a message whose end could be understood in two ways is an error.

use http::{HeaderMap, HeaderName, HeaderValue, header};

pub use self::{
    chunks::Piece,
    date::http_date,
    decoder::Decoder,
    encoder::Encoder,
    request::{Request, parse_request, write_request},
    response::{Response, ResponseHead, parse_response, write_response},
};

mod chunks;
mod date;
mod decoder;
mod encoder;
mod request;
mod response;

/// How the end of a body is known (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Framing {
    /// There is no body.
    None,
    /// It has this many bytes.
    Length(u64),
    /// It comes in chunks, of which the last is empty.
    Chunked,
    /// It ends with the connection.
    UntilClose,
}

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Malformed {
    /// The head, or the trailers, are not as HTTP/1 wants them.
    #[error("no HTTP/1: {0}")]
    Syntax(#[from] httparse::Error),
    /// The head, the trailers or the extensions of chunks are too long.
    #[error("longer than {HEADER_BYTES_MAX} bytes")]
    TooLong,
    /// A field has a value that none may have.
    #[error("the field {0} has a value that it cannot have")]
    Field(&'static str),
    /// The body's end cannot be told.
    #[error("the end of the body cannot be told: {0}")]
    Framing(&'static str),
    /// The connection ended before the body.
    #[error("the connection ended before the body did")]
    Cut,
}

impl Malformed {
    /// Whether there is only too much of it.
    pub fn is_too_much(self) -> bool {
        matches!(self, Self::TooLong | Self::Syntax(httparse::Error::TooManyHeaders))
    }
}

/// Longest head, longest trailers, and most bytes of all chunk extensions of a body.
pub const HEADER_BYTES_MAX: usize = 64 * 1024;

/// Most fields of a head or of trailers.
pub const HEADERS_MAX: usize = 128;

/// Whether a field says how a message is framed or routed, which trailers must not
/// (RFC 9110 section 6.5.1).
fn is_framing(name: &HeaderName) -> bool {
    FRAMING.contains(name)
}

/// Parsed fields as a map whose values share the memory of `whole`, which they were parsed from.
fn fields(
    parsed: &[httparse::Header<'_>],
    whole: &bytes::Bytes,
    mut see: impl FnMut(&HeaderName, &HeaderValue) -> Result<(), Malformed>,
) -> Result<HeaderMap, Malformed> {
    let mut fields = HeaderMap::with_capacity(parsed.len());
    for field in parsed {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        let name = name.map_err(|_| Malformed::Syntax(httparse::Error::HeaderName))?;
        let value = HeaderValue::from_maybe_shared(whole.slice_ref(field.value));
        let value = value.map_err(|_| Malformed::Syntax(httparse::Error::HeaderValue))?;
        see(&name, &value)?;
        fields.append(name, value);
    }
    Ok(fields)
}

/// Whether a line ends without a carriage return. `httparse` lets it pass, but who reads the same
/// bytes after us may see one line there, or two (RFC 9112 section 2.2).
fn has_bare_line_feed(text: &[u8]) -> bool {
    let before = [&b' '].into_iter().chain(text);
    // Counting, which has no early end, is a few instructions for many bytes.
    before.zip(text).filter(|(before, byte)| **byte == b'\n' && **before != b'\r').count() > 0
}

/// The number that digits are, and nothing but digits.
fn digits(text: &[u8]) -> Option<u64> {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| is_number)?.parse().ok()
}

/// Whether a list of words has one of them, in any case.
fn has_word(list: &HeaderValue, word: &str) -> bool {
    let mut words = list.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    words.any(|one| one.eq_ignore_ascii_case(word.as_bytes()))
}

const FRAMING: [HeaderName; 7] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::HOST,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

#[cfg(test)]
mod tests;
