//! The head of a response.

use std::mem::MaybeUninit;

use bytes::{Buf, Bytes};
use http::{
    HeaderMap, StatusCode,
    header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING},
};

use super::{Framing, HEADER_BYTES_MAX, HEADERS_MAX, Malformed, fields};

/// The head of a response.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The fields, as they came.
    pub headers: HeaderMap,
    /// How its body ends.
    pub framing: Framing,
    /// Whether the connection can carry another request after it.
    pub keeps: bool,
}

/// Takes the head of a response from the front of `input`; `None` when more of it must come first.
/// `to_head` says that the request was a `HEAD`, whose responses have no body.
pub fn parse_response(input: &mut Bytes, to_head: bool) -> Result<Option<Response>, Malformed> {
    let mut room = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let len = match config.parse_response_with_uninit_headers(&mut parsed, input, &mut room)? {
        httparse::Status::Complete(len) if len <= HEADER_BYTES_MAX => len,
        httparse::Status::Partial if input.len() <= HEADER_BYTES_MAX => return Ok(None),
        _ => return Err(Malformed::TooLong),
    };
    let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(Malformed::Syntax(httparse::Error::Status))?;
    let headers = fields(parsed.headers, input)?;
    let is_http10 = parsed.version == Some(0);
    input.advance(len);
    let has_none = to_head
        || status.is_informational()
        || [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status);
    let framing = if has_none { Framing::None } else { framing(&headers, is_http10)? };
    // Where both are there, somebody on the way may have believed the length.
    let ambiguous = headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH);
    let keeps = framing != Framing::UntilClose && !ambiguous && keeps(&headers, is_http10);
    Ok(Some(Response { status, headers, framing, keeps }))
}

/// How the body of a response that may have one ends.
fn framing(headers: &HeaderMap, is_http10: bool) -> Result<Framing, Malformed> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        let chunked = coding.as_bytes().eq_ignore_ascii_case(b"chunked");
        if chunked && codings.next().is_none() && !is_http10 {
            return Ok(Framing::Chunked);
        }
        return Err(Malformed::Framing("a transfer coding that is not chunked alone"));
    }
    Ok(length(headers)?.map_or(Framing::UntilClose, Framing::Length))
}

/// The one length that all `Content-Length` tell (RFC 9110 section 8.6).
fn length(headers: &HeaderMap) -> Result<Option<u64>, Malformed> {
    let mut length = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        for part in value.as_bytes().split(|byte| *byte == b',') {
            let told = digits(part.trim_ascii()).ok_or(Malformed::Field("content-length"))?;
            if length.is_some_and(|length| length != told) {
                return Err(Malformed::Framing("more than one length"));
            }
            length = Some(told);
        }
    }
    Ok(length)
}

fn digits(text: &[u8]) -> Option<u64> {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| is_number)?.parse().ok()
}

/// Whether the connection stays open (RFC 9112 section 9.3).
fn keeps(headers: &HeaderMap, is_http10: bool) -> bool {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let mut options = values.flat_map(|value| value.split(',')).map(str::trim);
    let wanted = if is_http10 { "keep-alive" } else { "close" };
    options.any(|option| option.eq_ignore_ascii_case(wanted)) == is_http10
}
