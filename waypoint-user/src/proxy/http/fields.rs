//! Header fields: what is taken away, what is added.
//!
//! **Invariant:** fields that hold for one hop (RFC 9110 section 7.6.1) and fields that frame a
//! message do not pass.

use http::{
    HeaderMap, HeaderName, HeaderValue, Version,
    header::{CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, TE, TRANSFER_ENCODING, UPGRADE},
};

use crate::mesh::route::HeaderEdit;

use super::forwarded::FORWARDED_CLIENT_CERT;

/// Removes what only a proxy may say and a client said.
pub(super) fn remove_forged(headers: &mut HeaderMap) {
    remove_all(headers, |name| {
        *name == FORWARDED_CLIENT_CERT
            || *name == INTERNAL
            || OURS.iter().any(|prefix| name.as_str().starts_with(prefix))
    });
}

/// Puts a cookie together that came in pieces, as HTTP/2 may send it (RFC 9113 section 8.2.3).
pub(super) fn join_cookies(headers: &mut HeaderMap) {
    let pieces: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if pieces.len() > 1
        && let Ok(whole) = HeaderValue::from_bytes(&pieces.join(&b"; "[..]))
    {
        headers.insert(COOKIE, whole);
    }
}

/// The protocol that a request asks to change to, if it does (RFC 9110 section 7.8). A change to
/// HTTP/2 is not granted: requests would pass inside it that nobody judged. A request of HTTP/2 has
/// these fields only when we set them.
pub(super) fn upgrade_of(version: Version, headers: &HeaderMap) -> Option<HeaderValue> {
    let listed = listed_in_connection(headers).any(|name| name.eq_ignore_ascii_case("upgrade"));
    let protocol = headers.get(UPGRADE).filter(|_| version >= Version::HTTP_11 && listed)?;
    let text = protocol.to_str().ok()?.to_ascii_lowercase();
    let hides_requests = text.split(',').any(|name| name.trim().starts_with("h2c"));
    (!hides_requests).then(|| protocol.clone())
}

/// Removes what holds for one hop. Whoever accepts trailers still does.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let trailers = headers
        .get_all(TE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| coding.trim().eq_ignore_ascii_case("trailers"));
    let listed: Vec<HeaderName> =
        listed_in_connection(headers).filter_map(|name| name.parse().ok()).collect();
    remove_all(headers, |name| ONE_HOP.contains(name) || listed.contains(name));
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// Removes what frames a message; the codec frames it anew.
pub(super) fn remove_framing(headers: &mut HeaderMap) {
    remove_all(headers, |name| FRAMING.contains(name));
}

/// Removes fields, of which there are usually none.
fn remove_all(headers: &mut HeaderMap, which: impl Fn(&HeaderName) -> bool) {
    let found: Vec<HeaderName> = headers.keys().filter(|name| which(name)).cloned().collect();
    for name in found {
        headers.remove(name);
    }
}

/// Gives a request a name, if it has none.
pub(super) fn identify(headers: &mut HeaderMap, random: impl FnOnce() -> u128) {
    if !headers.contains_key(&REQUEST_ID) {
        insert(headers, &REQUEST_ID, &uuid(random()));
    }
}

/// A UUID of version 4 (RFC 9562 section 5.4).
fn uuid(random: u128) -> String {
    let id = random & !(0xf << 76) & !(0b11 << 62) | 0x4 << 76 | 0b10 << 62;
    let mut text = String::with_capacity(UUID_BYTES);
    for shift in (0..u128::BITS).step_by(4).rev() {
        let digit =
            u32::try_from(id >> shift & 0xf).ok().and_then(|four| char::from_digit(four, 16));
        text.extend(digit);
        if UUID_DASHES.contains(&text.len()) {
            text.push('-');
        }
    }
    text
}

/// Applies edits in the order set, add, remove. What is no field is left out.
pub fn edit<'e>(headers: &mut HeaderMap, edits: impl Iterator<Item = &'e HeaderEdit>) {
    let field = |(name, value): &(String, String)| {
        Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?))
    };
    for edit in edits {
        for (name, value) in edit.set.iter().filter_map(field) {
            headers.insert(name, value);
        }
        for (name, value) in edit.add.iter().filter_map(field) {
            headers.append(name, value);
        }
        for name in &edit.remove {
            headers.remove(name.as_str());
        }
    }
}

/// Sets a field to a text that was made here.
pub(super) fn insert(headers: &mut HeaderMap, name: &HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Asks for, or grants, a change of protocol.
pub(super) fn set_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
}

/// The names in `Connection`.
fn listed_in_connection(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|name| !name.is_empty())
}

/// What names one request everywhere.
pub(super) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How long a UUID is as text, and where it has dashes.
const UUID_BYTES: usize = 36;
const UUID_DASHES: [usize; 4] = [8, 13, 18, 23];

/// By this an Envoy says that a request is from inside; servers behind one trust it.
static INTERNAL: HeaderName = HeaderName::from_static("x-envoy-internal");

/// Beginnings of names that only we may use.
const OURS: [&str; 2] = ["waypoint-", "x-waypoint-"];

/// What holds for one hop (RFC 9110 section 7.6.1), whether `Connection` lists it or not.
static ONE_HOP: [HeaderName; 6] = [
    CONNECTION,
    TE,
    UPGRADE,
    EXPECT,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// What frames a message.
static FRAMING: [HeaderName; 3] = [CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION];

#[cfg(test)]
mod tests;
