//! One match of one rule, without its path.
//!
//! Where it stands among others of the same path is its [`Rank`]; the path itself is the index's.

use std::{borrow::Cow, cmp::Reverse, sync::Arc};

use crate::mesh::{
    request::RequestHead,
    route::{HttpMatch, HttpRule, PathMatch, ValueMatch, ValuePattern},
};

use super::rule::Rule;

/// What must hold besides the path, and for which rule.
#[derive(Debug)]
pub(super) struct Candidate {
    /// The rule.
    pub(super) rule: Arc<Rule>,
    method: Option<String>,
    headers: Vec<ValueMatch>,
    query: Vec<ValueMatch>,
}

/// Orders candidates of the same path; the smallest decides.
pub(super) type Rank = (bool, Reverse<usize>, Reverse<usize>);

impl Candidate {
    /// The candidates of a rule, with their paths.
    pub(super) fn of(rule: &HttpRule, compiled: &Arc<Rule>) -> Vec<(PathMatch, Self)> {
        if rule.matches.is_empty() {
            return vec![Self::new(&HttpMatch::default(), compiled)];
        }
        rule.matches.iter().map(|one| Self::new(one, compiled)).collect()
    }

    fn new(one: &HttpMatch, compiled: &Arc<Rule>) -> (PathMatch, Self) {
        let candidate = Self {
            rule: Arc::clone(compiled),
            method: one.method.clone(),
            headers: first_of_each_name(&one.headers),
            query: first_of_each_name(&one.query),
        };
        (one.path.clone(), candidate)
    }

    /// Its rank among candidates of the same path.
    pub(super) fn rank(&self) -> Rank {
        (self.method.is_none(), Reverse(self.headers.len()), Reverse(self.query.len()))
    }

    /// Whether a request whose path fits matches in everything else.
    pub(super) fn matches(&self, head: &dyn RequestHead) -> bool {
        self.method.as_ref().is_none_or(|method| method == head.method())
            && self.headers.iter().all(|wanted| {
                head.header(&wanted.name).is_some_and(|value| fits(&wanted.value, &value))
            })
            && self.query.iter().all(|wanted| {
                parameter(head.query().unwrap_or_default(), &wanted.name)
                    .is_some_and(|value| fits(&wanted.value, &value))
            })
    }
}

fn first_of_each_name(conditions: &[ValueMatch]) -> Vec<ValueMatch> {
    let mut kept: Vec<ValueMatch> = Vec::with_capacity(conditions.len());
    for condition in conditions {
        if kept.iter().all(|known| known.name != condition.name) {
            kept.push(condition.clone());
        }
    }
    kept
}

fn fits(wanted: &ValuePattern, value: &str) -> bool {
    match wanted {
        ValuePattern::Exact(exact) => value == exact,
        ValuePattern::Regex(regex) => regex.matches(value),
    }
}

/// The first value of a query parameter; `+` is a plus sign.
fn parameter<'q>(query: &'q str, name: &str) -> Option<Cow<'q, str>> {
    query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .find(|(found, _)| unescape(found) == name)
        .map(|(_, value)| unescape(value))
}

/// Decodes percent-escapes (RFC 3986 section 2.1); a malformed one stays as it is.
fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = after.split_first_chunk().filter(|_| *first == b'%');
        let decoded = escaped.and_then(|(digits, after)| Some((octet(*digits)?, after)));
        let (byte, after) = decoded.unwrap_or((*first, after));
        bytes.push(byte);
        rest = after;
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// The octet that two hexadecimal digits write.
fn octet(digits: [u8; 2]) -> Option<u8> {
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
    u8::try_from(high? * 16 + low?).ok()
}
