//! The head of a request, as it comes from a client and as it leaves for an endpoint.
//!
//! **Invariant:** what two readers could understand in two ways is no request, even where a
//! specification allows to guess.

use std::mem::MaybeUninit;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Uri, Version,
    header::{CONNECTION, CONTENT_LENGTH, EXPECT, TE, TRANSFER_ENCODING},
};

use super::{
    Framing, HEADER_BYTES_MAX, HEADERS_MAX, Malformed, digits,
    encoder::{HEAD_BYTES, put_field, put_framing},
    fields, has_bare_line_feed, has_word,
};

/// The head of a request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// What is asked for, in any of its forms.
    pub target: Uri,
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Version,
    /// The fields, as they came.
    pub headers: HeaderMap,
    /// How its body ends.
    pub framing: Framing,
    /// Whether the client wants the connection to stay open after the response.
    pub keeps: bool,
    /// Whether the client waits to be told to send the body.
    pub awaits_leave: bool,
    /// Whether the client takes trailers.
    pub takes_trailers: bool,
}

/// Takes the head of a request from the front of `input`; `None` when more of it must come first.
/// Empty lines in front of it are passed over (RFC 9112 section 2.2).
pub fn parse_request(input: &mut Bytes) -> Result<Option<Request>, Malformed> {
    while input.starts_with(b"\r\n") {
        input.advance(2);
    }
    let mut room = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut []);
    let config = httparse::ParserConfig::default();
    let len = match config.parse_request_with_uninit_headers(&mut parsed, input, &mut room)? {
        httparse::Status::Complete(len) if len <= HEADER_BYTES_MAX => len,
        httparse::Status::Partial if input.len() <= HEADER_BYTES_MAX => return Ok(None),
        _ => return Err(Malformed::TooLong),
    };
    if has_bare_line_feed(input.get(..len).unwrap_or_default()) {
        return Err(Malformed::Syntax(httparse::Error::NewLine));
    }
    let version = if parsed.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    let method = Method::from_bytes(parsed.method.unwrap_or_default().as_bytes());
    let method = method.map_err(|_| Malformed::Syntax(httparse::Error::Token))?;
    let target = target(parsed.path.unwrap_or_default(), input)?;
    let mut seen = Seen::default();
    let headers = fields(parsed.headers, input, |name, value| seen.see(name, value))?;
    input.advance(len);
    let framing = seen.framing(version)?;
    let awaits_leave = seen.awaits_leave && version == Version::HTTP_11;
    Ok(Some(Request {
        method,
        target,
        version,
        headers,
        framing,
        keeps: seen.keeps.unwrap_or(version == Version::HTTP_11),
        awaits_leave: awaits_leave && !matches!(framing, Framing::None | Framing::Length(0)),
        takes_trailers: seen.takes_trailers,
    }))
}

/// What is asked for. A fragment has no place there (RFC 9112 section 3.2), and some cut it off;
/// nor have bytes beyond ASCII (RFC 3986 section 2), which some write in another way.
fn target(text: &str, whole: &Bytes) -> Result<Uri, Malformed> {
    let wrong = Malformed::Field("target");
    if text.contains('#') || !text.is_ascii() {
        return Err(wrong);
    }
    Uri::from_maybe_shared(whole.slice_ref(text.as_bytes())).map_err(|_| wrong)
}

/// What the fields of a request say of its connection and its body.
#[derive(Default)]
struct Seen {
    length: Option<u64>,
    chunked: bool,
    /// Whether the connection is to stay open, where that was said.
    keeps: Option<bool>,
    awaits_leave: bool,
    takes_trailers: bool,
}

impl Seen {
    fn see(&mut self, name: &HeaderName, value: &HeaderValue) -> Result<(), Malformed> {
        match *name {
            CONTENT_LENGTH => {
                if self.length.is_some() {
                    return Err(Malformed::Framing("more than one length"));
                }
                let length = digits(value.as_bytes()).filter(|length| *length <= LENGTH_MAX);
                self.length = Some(length.ok_or(Malformed::Field("content-length"))?);
            }
            TRANSFER_ENCODING => {
                if self.chunked || !value.as_bytes().eq_ignore_ascii_case(b"chunked") {
                    return Err(Malformed::Framing("a transfer coding that is not chunked alone"));
                }
                self.chunked = true;
            }
            CONNECTION => {
                if has_word(value, "close") {
                    self.keeps = Some(false);
                } else if self.keeps.is_none() && has_word(value, "keep-alive") {
                    self.keeps = Some(true);
                }
            }
            EXPECT => self.awaits_leave |= has_word(value, "100-continue"),
            TE => self.takes_trailers |= has_word(value, "trailers"),
            _ => {}
        }
        Ok(())
    }

    /// How the body ends (RFC 9112 section 6.3).
    fn framing(&self, version: Version) -> Result<Framing, Malformed> {
        match (self.chunked, self.length) {
            (true, Some(_)) => Err(Malformed::Framing("both a length and a transfer coding")),
            (true, None) if version == Version::HTTP_10 => {
                Err(Malformed::Framing("a transfer coding in HTTP/1.0"))
            }
            (true, None) => Ok(Framing::Chunked),
            (false, length) => Ok(length.map_or(Framing::None, Framing::Length)),
        }
    }
}

/// Writes the head of a request, with one field more if it is given. What frames its body is
/// written from `framing`, whatever the fields say; a server reads no body where nothing frames one
/// (RFC 9112 section 6.3).
pub fn write_request(
    (method, target): (&Method, &str),
    (headers, more): (&HeaderMap, Option<(&str, &str)>),
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
    if let Some((name, value)) = more {
        put_field(name, value.as_bytes(), output);
    }
    put_framing(framing, output);
    output.put_slice(b"\r\n");
}

/// Longest body that a request may announce: some take lengths as signed.
const LENGTH_MAX: u64 = u64::MAX / 2;
