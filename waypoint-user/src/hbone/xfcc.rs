//! The field `x-forwarded-client-cert`, in Envoy's grammar
//! (`docs/root/configuration/http/http_conn_man/headers`): elements separated by `,`, of
//! `key=value` pairs separated by `;`, where a value is quoted if it has one of `,;="`.
//!
//! It believes nothing: what a client sent is removed or appended to by its caller.
//!
//! **Invariant:** what is written is read as the same elements, whatever is in them.

use std::{borrow::Cow, fmt};

/// Longest field that is read.
const BYTES_MAX: usize = 64 * 1024;

/// Elements that are read, and pairs of one of them.
const PARTS_MAX: usize = 64;

/// What one proxy says of the certificate of its client. Keys that are not known, and certificates
/// themselves (`Cert`, `Chain`), are passed over when it is read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Element {
    /// `By`: the identities of who says it, as URIs.
    pub by: Vec<String>,
    /// `Hash`: the SHA-256 of the client's certificate, in lower-case hexadecimal.
    pub hash: Option<String>,
    /// `Subject`: its distinguished name.
    pub subject: Option<String>,
    /// `URI`: its identities.
    pub uri: Vec<String>,
    /// `DNS`: its host names.
    pub dns: Vec<String>,
}

/// Reads all elements; `None` where one is malformed, because then nobody knows where the next
/// begins.
pub fn parse(text: &str) -> Option<Vec<Element>> {
    if text.len() > BYTES_MAX {
        return None;
    }
    let mut elements = Vec::new();
    let (mut element, mut pairs) = (Element::default(), 0);
    let mut rest = text.trim_matches(' ');
    if rest.is_empty() {
        return Some(elements);
    }
    loop {
        let (key, value, after) = pair(rest)?;
        element.keep(key, value);
        pairs += 1;
        let separator = after.chars().next();
        if separator != Some(';') {
            elements.push(std::mem::take(&mut element));
            pairs = 0;
        }
        match separator {
            None => return Some(elements),
            Some(';' | ',') if pairs < PARTS_MAX && elements.len() < PARTS_MAX => {}
            Some(_) => return None,
        }
        rest = after.get(1..)?.trim_start_matches(' ');
    }
}

impl Element {
    fn keep(&mut self, key: &str, value: Cow<'_, str>) {
        let value = value.into_owned();
        if value.is_empty() {
            return;
        }
        match key.to_ascii_lowercase().as_str() {
            "by" => self.by.push(value),
            "uri" => self.uri.push(value),
            "dns" => self.dns.push(value),
            "hash" => self.hash = self.hash.take().or(Some(value)),
            "subject" => self.subject = self.subject.take().or(Some(value)),
            _ => {}
        }
    }
}

impl fmt::Display for Element {
    /// In Envoy's order: `By`, `Hash`, `Subject`, `URI`, `DNS`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = self.by.iter().map(|value| ("By", value));
        let hash = self.hash.iter().map(|value| ("Hash", value));
        let subject = self.subject.iter().map(|value| ("Subject", value));
        let uri = self.uri.iter().map(|value| ("URI", value));
        let dns = self.dns.iter().map(|value| ("DNS", value));
        let said = by.chain(hash).chain(subject).chain(uri).chain(dns);
        for (index, (key, value)) in said.filter(|(_, value)| !value.is_empty()).enumerate() {
            let semicolon = if index == 0 { "" } else { ";" };
            write!(f, "{semicolon}{key}={}", Quoted { value, always: key == "Subject" })?;
        }
        Ok(())
    }
}

/// A value as it is written.
struct Quoted<'v> {
    value: &'v str,
    always: bool,
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = !self.value.contains([',', ';', '=', '"', '\\', ' ']);
        if is_plain && !self.always {
            return f.write_str(self.value);
        }
        f.write_str("\"")?;
        for character in self.value.chars() {
            if matches!(character, '"' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{character}")?;
        }
        f.write_str("\"")
    }
}

/// A key, its value, and what follows.
fn pair(text: &str) -> Option<(&str, Cow<'_, str>, &str)> {
    let (key, rest) = text.split_once('=')?;
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    if let Some(quoted) = rest.strip_prefix('"') {
        let (value, after) = unquote(quoted)?;
        return Some((key, Cow::Owned(value), after));
    }
    // Not `=`: Envoy writes URIs with a query as they are.
    let end = rest.find([',', ';', '"']).unwrap_or(rest.len());
    let (value, after) = rest.split_at_checked(end)?;
    Some((key, Cow::Borrowed(value), after))
}

/// What a quoted value says, from behind its first quote, and what follows the last.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.chars();
    loop {
        match characters.next()? {
            '"' => return Some((value, characters.as_str())),
            '\\' => value.push(characters.next()?),
            character => value.push(character),
        }
    }
}

#[cfg(test)]
mod tests;
