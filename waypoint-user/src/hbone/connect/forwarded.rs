//! The field `forwarded`: the part of RFC 7239 that ztunnel writes.

use std::{fmt, net::SocketAddr};

use super::authority::{Authority, is_host_name};

/// Longest field that is read.
const BYTES_MAX: usize = 1024;

/// The field `forwarded` (RFC 7239), as ztunnel writes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Forwarded {
    /// `for`: the client.
    pub client: SocketAddr,
    /// `host`: the Service that it addressed.
    pub host: Option<String>,
}

impl Forwarded {
    /// Reads one element, as `for="10.0.0.1:1234";host=shop.default.svc.cluster.local`. Parameters
    /// of other names are passed over; a second element, or a parameter given twice, makes it
    /// unreadable.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > BYTES_MAX {
            return None;
        }
        let (mut client, mut host) = (None, None);
        let mut rest = text.trim_matches([' ', '\t']);
        loop {
            let (name, value, after) = parameter(rest)?;
            let slot = match name {
                _ if name.eq_ignore_ascii_case("for") => &mut client,
                _ if name.eq_ignore_ascii_case("host") => &mut host,
                _ => &mut None,
            };
            if slot.replace(value).is_some() {
                return None;
            }
            match after.strip_prefix(';') {
                Some(after) => rest = after,
                None if after.is_empty() => break,
                None => return None,
            }
        }
        let Authority::Address(client) = Authority::parse(&client?)? else { return None };
        let host = host.map(|host| host.to_ascii_lowercase());
        host.as_deref().is_none_or(is_host_name).then_some(Self { client, host })
    }
}

impl fmt::Display for Forwarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "for=\"{}\"", self.client)?;
        match &self.host {
            Some(host) => write!(f, ";host={host}"),
            None => Ok(()),
        }
    }
}

/// A parameter's name and value, and what follows it.
fn parameter(text: &str) -> Option<(&str, String, &str)> {
    let (name, rest) = text.split_once('=')?;
    if name.is_empty() || !name.bytes().all(is_token_byte) {
        return None;
    }
    if let Some(quoted) = rest.strip_prefix('"') {
        let (value, rest) = unquote(quoted)?;
        return Some((name, value, rest));
    }
    let end = rest.bytes().position(|byte| !is_token_byte(byte)).unwrap_or(rest.len());
    let (value, rest) = rest.split_at_checked(end)?;
    (!value.is_empty()).then(|| (name, value.to_owned(), rest))
}

/// What a quoted string says, from behind its first quote, and what follows the last.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.chars();
    loop {
        let character = match characters.next()? {
            '"' => return Some((value, characters.as_str())),
            '\\' => characters.next()?,
            character => character,
        };
        if character.is_control() && character != '\t' {
            return None;
        }
        value.push(character);
    }
}

/// RFC 9110, 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
