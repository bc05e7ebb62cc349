//! Header fields: what is taken away, what is added.
//!
//! **Invariant:** fields that hold for one hop (RFC 9110 section 7.6.1) and fields that frame a
//! message do not pass.

use http::{
    HeaderMap, HeaderName, HeaderValue, Version,
    header::{CONNECTION, CONTENT_LENGTH, EXPECT, TE, TRANSFER_ENCODING, UPGRADE},
};

use crate::{
    hbone::xfcc::Element,
    mesh::{request::Peer, route::HeaderEdit, spiffe::SpiffeId},
};

/// Removes what only a proxy may say and a client said.
pub(super) fn remove_forged(headers: &mut HeaderMap) {
    headers.remove(FORWARDED_CLIENT_CERT);
    let ours = |name: &&HeaderName| OURS.iter().any(|prefix| name.as_str().starts_with(prefix));
    let forged: Vec<HeaderName> = headers.keys().filter(ours).cloned().collect();
    for name in forged {
        headers.remove(name);
    }
}

/// The protocol that a request asks to change to, if it does (RFC 9110 section 7.8). A change to
/// HTTP/2 is not granted: requests would pass inside it that nobody judged.
pub(super) fn upgrade_of(version: Version, headers: &HeaderMap) -> Option<HeaderValue> {
    let listed = listed_in_connection(headers).any(|name| name.eq_ignore_ascii_case("upgrade"));
    let protocol = headers.get(UPGRADE).filter(|_| version == Version::HTTP_11 && listed)?;
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
    for name in listed {
        headers.remove(name);
    }
    for name in [CONNECTION, TE, UPGRADE, EXPECT] {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    headers.remove("proxy-connection");
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// Removes what frames a message; the codec frames it anew.
pub(super) fn remove_framing(headers: &mut HeaderMap) {
    for name in [CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION] {
        headers.remove(name);
    }
}

/// Adds what endpoints learn of the client; `by` is the identity that took the connection.
pub(super) fn add_forwarded(headers: &mut HeaderMap, peer: &Peer, by: Option<&SpiffeId>) {
    let address = peer.address.ip();
    let before = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
    let all = before.map(str::to_owned).chain([address.to_string()]).collect::<Vec<_>>().join(",");
    insert(headers, FORWARDED_FOR, &all);
    if !headers.contains_key(FORWARDED_PROTO) {
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
    }
    if let Some(identity) = &peer.identity {
        let by = by.iter().map(ToString::to_string).collect();
        let element = Element { by, uri: vec![identity.to_string()], ..Element::default() };
        insert(headers, FORWARDED_CLIENT_CERT, &element.to_string());
    }
}

/// Applies edits in the order set, add, remove. What is no field is left out.
pub(super) fn edit(headers: &mut HeaderMap, edits: &[&HeaderEdit]) {
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

/// A field as text, for the log.
pub(super) fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// Sets a field to a text that was made here.
pub(super) fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) {
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

/// The identity of the client, as proxies pass it on.
pub(super) const FORWARDED_CLIENT_CERT: &str = "x-forwarded-client-cert";

/// The addresses of the client and of the proxies after it.
pub(super) const FORWARDED_FOR: &str = "x-forwarded-for";

/// What the client spoke to the first proxy.
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// What names one request everywhere.
pub(super) const REQUEST_ID: &str = "x-request-id";

/// Beginnings of names that only we may use.
const OURS: [&str; 2] = ["waypoint-", "x-waypoint-"];

#[cfg(test)]
mod tests;
