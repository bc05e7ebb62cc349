//! The one normal form of a request's path.
//!
//! It is computed once, when a request arrives, and `route`, `policy` and the backend all see the
//! result: a path cannot mean one thing to authorisation and another to routing.
//!
//! **Invariant:** normalising twice is the same as normalising once.

use std::borrow::Cow;

/// The path in normal form (RFC 3986 sections 6.2.2.2 and 6.2.2.3, and Istio's `BASE`
/// normalisation): escaped unreserved characters are written plainly, `\` becomes `/`, and dot
/// segments are resolved without leaving the root. Empty segments and `%2F` stay as they are.
pub fn normalize(path: &str) -> Cow<'_, str> {
    if !path.starts_with('/') || !may_change(path) {
        return Cow::Borrowed(path);
    }
    let path = decode(path);
    Cow::Owned(resolve_dots(&path))
}

/// Whether the path holds anything that normalising may touch.
fn may_change(path: &str) -> bool {
    path.contains(['%', '\\']) || path.contains("/.")
}

/// Writes escaped unreserved characters plainly and turns `\` into `/`.
fn decode(path: &str) -> String {
    let mut decoded = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find(['%', '\\']) {
        let (plain, special) = rest.split_at(at);
        decoded.push_str(plain);
        let (kept, used) = match unreserved_escape(special) {
            Some(character) => (character, ESCAPE_LEN),
            None if special.starts_with('\\') => ('/', 1),
            None => ('%', 1),
        };
        decoded.push(kept);
        rest = special.get(used..).unwrap_or_default();
    }
    decoded.push_str(rest);
    decoded
}

/// The unreserved character (RFC 3986 section 2.3) whose escape the text begins with.
fn unreserved_escape(text: &str) -> Option<char> {
    let digits = text.strip_prefix('%')?.get(..2)?;
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let character = char::from(u8::from_str_radix(digits, 16).ok()?);
    let unreserved = character.is_ascii_alphanumeric() || "-._~".contains(character);
    unreserved.then_some(character)
}

/// Resolves `.` and `..` (RFC 3986 section 5.2.4); `..` at the root stays there.
fn resolve_dots(path: &str) -> String {
    let mut resolved = String::with_capacity(path.len());
    let mut ends_in_dots = false;
    for segment in path.split('/').skip(1) {
        ends_in_dots = matches!(segment, "." | "..");
        if segment == ".." {
            resolved.truncate(resolved.rfind('/').unwrap_or_default());
        } else if segment != "." {
            resolved.push('/');
            resolved.push_str(segment);
        }
    }
    if ends_in_dots {
        resolved.push('/');
    }
    resolved
}

/// Bytes of a percent-escape.
const ESCAPE_LEN: usize = 3;

#[cfg(test)]
mod tests;
