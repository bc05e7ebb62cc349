//! W3C Trace Context: `traceparent` and `tracestate`.
//!
//! Strict as the recommendation is: what is malformed is as if it were not there, and a version
//! that is not known yet is read as far as version 00 goes.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::context::{Context, Decision, Received};

/// What a `traceparent` says, if it is one.
pub(super) fn parse(text: &str) -> Option<Received> {
    let bytes = text.as_bytes();
    let version = digits(bytes.get(..2)?)?;
    let is_later = version > 0 && bytes.get(LEN) == Some(&b'-');
    let dashes = DASHES.iter().all(|at| bytes.get(*at) == Some(&b'-'));
    if version == INVALID_VERSION || !dashes || !(bytes.len() == LEN || is_later) {
        return None;
    }
    let trace = digits(bytes.get(3..35)?).filter(|trace| *trace > 0)?;
    let span = digits(bytes.get(36..52)?).filter(|span| *span > 0)?;
    let flags = digits(bytes.get(53..LEN)?)?;
    Some(Received {
        ids: Some((trace, u64::try_from(span).ok()?)),
        decision: Some(Decision::of(flags & SAMPLED > 0)),
        random: flags & RANDOM > 0,
        ..Received::default()
    })
}

/// The `traceparent` of what follows.
pub(super) fn write(context: &Context) -> String {
    let sampled = if context.decision.is_kept() { SAMPLED } else { 0 };
    let flags = sampled | if context.random { RANDOM } else { 0 };
    format!("00-{:032x}-{:016x}-{flags:02x}", context.trace, context.span)
}

/// The `tracestate` of a request in one field, or nothing if it is longer than anybody has to
/// carry, malformed, or empty.
pub(super) fn state(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut whole = String::new();
    let mut members = 0;
    for value in headers.get_all(&STATE) {
        let all = value.to_str().ok()?.split(',').map(|member| member.trim_matches([' ', '\t']));
        for member in all.filter(|member| !member.is_empty()) {
            if !whole.is_empty() {
                whole.push(',');
            }
            whole.push_str(member);
            members += 1;
            let fits = members <= STATE_MEMBERS_MAX && whole.len() <= STATE_BYTES_MAX;
            if !fits || !is_member(member) {
                return None;
            }
        }
    }
    if whole.is_empty() { None } else { HeaderValue::from_str(&whole).ok() }
}

/// Whether it is a key, `=` and a value.
fn is_member(text: &str) -> bool {
    let Some((key, value)) = text.split_once('=') else { return false };
    let in_key =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(&byte);
    let in_value = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'=';
    let key_fits = (1..=KEY_BYTES_MAX).contains(&key.len()) && key.bytes().all(in_key);
    key_fits && (1..=KEY_BYTES_MAX).contains(&value.len()) && value.bytes().all(in_value)
}

/// A number of lower-case hexadecimal digits, of which each must be one.
pub(super) fn digits(text: &[u8]) -> Option<u128> {
    text.iter().try_fold(0_u128, |number, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(digit))
    })
}

/// The parent.
pub(super) static PARENT: HeaderName = HeaderName::from_static("traceparent");
/// What vendors add to it.
pub(super) static STATE: HeaderName = HeaderName::from_static("tracestate");

/// How long version 00 is, and where it has dashes.
const LEN: usize = 55;
const DASHES: [usize; 3] = [2, 35, 52];
/// The version that there will never be.
const INVALID_VERSION: u128 = 0xff;
/// The flags.
const SAMPLED: u128 = 0b01;
const RANDOM: u128 = 0b10;

/// The longest `tracestate` that is passed on; the recommendation asks for as much.
pub(super) const STATE_BYTES_MAX: usize = 512;
/// The most members of one.
pub(super) const STATE_MEMBERS_MAX: usize = 32;
/// The longest key of one, and the longest value.
const KEY_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests;
