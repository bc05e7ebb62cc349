//! The head of a response, as it comes from an endpoint and as it leaves for a client.

use std::mem::MaybeUninit;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{
    HeaderMap, StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING},
};

use super::{
    Framing, HEADER_BYTES_MAX, HEADERS_MAX, Malformed, digits,
    encoder::{HEAD_BYTES, put_field, put_framing},
    fields, has_word,
};

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
    let headers = fields(parsed.headers, input, |_, _| Ok(()))?;
    let is_http10 = parsed.version == Some(0);
    input.advance(len);
    // Somebody on the way may have believed the length (RFC 9112 section 6.3).
    if headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH) {
        return Err(Malformed::Framing("both a length and a transfer coding"));
    }
    let has_none = to_head
        || status.is_informational()
        || [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status);
    let framing = if has_none { Framing::None } else { framing(&headers, is_http10)? };
    let keeps = framing != Framing::UntilClose && keeps(&headers, is_http10);
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

/// Whether the connection stays open (RFC 9112 section 9.3).
fn keeps(headers: &HeaderMap, is_http10: bool) -> bool {
    let wanted = if is_http10 { "keep-alive" } else { "close" };
    let mut values = headers.get_all(CONNECTION).iter();
    values.any(|value| has_word(value, wanted)) == is_http10
}

/// What the head of a response that leaves is written from.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'a> {
    /// The version that the client speaks.
    pub version: Version,
    /// The status.
    pub status: StatusCode,
    /// The fields. What they say of framing counts only where there is no body.
    pub headers: &'a HeaderMap,
    /// How its body ends.
    pub framing: Framing,
    /// What the client is told of the connection.
    pub connection: Option<&'static str>,
    /// When it is sent, for responses that do not say it.
    pub date: &'a str,
}

/// Writes the head of a response. What frames its body is written from `framing`, whatever the
/// fields say.
pub fn write_response(head: &ResponseHead<'_>, output: &mut BytesMut) {
    let ResponseHead { status, headers, framing, .. } = *head;
    let version = if head.version == Version::HTTP_10 { "HTTP/1.0 " } else { "HTTP/1.1 " };
    output.reserve(HEAD_BYTES);
    output.put_slice(version.as_bytes());
    output.put_slice(status.as_str().as_bytes());
    output.put_u8(b' ');
    output.put_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    output.put_slice(b"\r\n");
    // The length of a body that is not sent (RFC 9110 section 8.6).
    let tells_length = framing == Framing::None && may_tell_length(status);
    let mut dated = status.is_informational();
    for (name, value) in headers {
        let passes = match *name {
            CONTENT_LENGTH => tells_length,
            CONNECTION => head.connection.is_none() && status == StatusCode::SWITCHING_PROTOCOLS,
            TRANSFER_ENCODING => false,
            _ => true,
        };
        if passes {
            put_field(name.as_str(), value.as_bytes(), output);
        }
        dated |= *name == DATE;
    }
    if let Some(connection) = head.connection {
        put_field("connection", connection.as_bytes(), output);
    }
    if !dated {
        put_field("date", head.date.as_bytes(), output);
    }
    put_framing(framing, output);
    output.put_slice(b"\r\n");
}

/// Whether a response without a body may tell how long one would be.
fn may_tell_length(status: StatusCode) -> bool {
    !status.is_informational() && status != StatusCode::NO_CONTENT
}
