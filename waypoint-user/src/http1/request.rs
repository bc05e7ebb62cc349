//! The head of a request.

use std::fmt::Write as _;

use bytes::{BufMut, BytesMut};
use http::{HeaderMap, Method, header::CONTENT_LENGTH, header::TRANSFER_ENCODING};

use super::{Framing, encoder::put_field};

/// Writes the head of a request. What frames its body is written from `framing`, whatever the
/// fields say.
pub fn write_request(
    (method, target): (&Method, &str),
    headers: &HeaderMap,
    framing: Framing,
    output: &mut BytesMut,
) {
    output.reserve(HEAD_BYTES);
    output.put_slice(method.as_str().as_bytes());
    output.put_u8(b' ');
    output.put_slice(target.as_bytes());
    output.put_slice(b" HTTP/1.1\r\n");
    for (name, value) in headers {
        if name != CONTENT_LENGTH && name != TRANSFER_ENCODING {
            put_field(name.as_str(), value.as_bytes(), output);
        }
    }
    match framing {
        Framing::Length(length) => {
            // Writing into memory has nothing that could go wrong.
            let _ = write!(output, "content-length: {length}\r\n");
        }
        Framing::Chunked => output.put_slice(b"transfer-encoding: chunked\r\n"),
        // A server reads no body where nothing frames one (RFC 9112 section 6.3).
        Framing::None | Framing::UntilClose => {}
    }
    output.put_slice(b"\r\n");
}

/// What most heads fit into.
const HEAD_BYTES: usize = 1024;
