//! One match of one rule, without its path.
//!
//! Where it stands among others of the same path is its [`Rank`]; the path itself is the index's.

use std::{borrow::Cow, cmp::Reverse, sync::Arc};

use crate::mesh::{
    request::{CONNECT, RequestHead},
    route::{HttpFilter, HttpMatch, HttpRule, PathMatch, ValueMatch, ValuePattern},
};

use super::rule::Rule;

/// What must hold besides the path, and for which rule.
#[derive(Debug)]
pub(super) struct Candidate {
    /// The rule.
    pub(super) rule: Arc<Rule>,
    rank: Rank,
    method: Option<String>,
    headers: Vec<ValueMatch>,
    query: Vec<ValueMatch>,
}

/// Orders candidates of the same path; the smallest decides.
pub(super) type Rank = (bool, Reverse<usize>, Reverse<usize>);

/// Something of a request that has a value.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Trait {
    /// A header field.
    Header(String),
    /// The method.
    Method,
    /// A query parameter.
    Query(String),
}

impl Trait {
    /// Its value.
    pub(super) fn value<'h>(&self, head: &'h dyn RequestHead) -> Option<Cow<'h, str>> {
        match self {
            Self::Header(name) => head.header(name),
            Self::Method => Some(Cow::Borrowed(head.method())),
            Self::Query(name) => parameter(head.query().unwrap_or_default(), name),
        }
    }
}

impl Candidate {
    /// The candidates of a rule, with their paths.
    pub(super) fn of(rule: &HttpRule, compiled: &Arc<Rule>) -> Vec<(PathMatch, Self)> {
        let everything = [HttpMatch::default()];
        let matches = if rule.matches.is_empty() { &everything } else { &rule.matches[..] };
        let allows_origins = rule.filters.iter().any(|one| matches!(one, HttpFilter::Cors(_)));
        let mut candidates = Vec::with_capacity(matches.len());
        for one in matches {
            candidates.push((one.path.clone(), Self::new(one, compiled)));
            if allows_origins && let Some(preflight) = Self::preflight(one, compiled) {
                candidates.push((one.path.clone(), preflight));
            }
        }
        candidates
    }

    fn new(one: &HttpMatch, compiled: &Arc<Rule>) -> Self {
        let (headers, query) = (first_of_each_name(&one.headers), first_of_each_name(&one.query));
        Self {
            rule: Arc::clone(compiled),
            rank: (one.method.is_none(), Reverse(headers.len()), Reverse(query.len())),
            method: one.method.clone(),
            headers,
            query,
        }
    }

    /// The question of a browser whether it may send a request with the method of a match: it
    /// belongs to the rule that would get the request.
    fn preflight(one: &HttpMatch, compiled: &Arc<Rule>) -> Option<Self> {
        let method = one.method.clone().filter(|method| method != PREFLIGHT)?;
        let mut candidate = Self::new(one, compiled);
        candidate.method = Some(PREFLIGHT.to_owned());
        // Fields that the request would have are only named in the question.
        candidate.headers.clear();
        let (name, value) = (REQUESTED_METHOD.to_owned(), ValuePattern::Exact(method));
        candidate.headers.push(ValueMatch { name, value });
        Some(candidate)
    }

    /// Whether it is for CONNECT.
    pub(super) fn connects(&self) -> bool {
        self.method.as_deref() == Some(CONNECT)
    }

    /// Its rank among candidates of the same path.
    pub(super) fn rank(&self) -> Rank {
        self.rank
    }

    /// What it wants just one value of.
    pub(super) fn traits(&self) -> impl Iterator<Item = Trait> {
        let method = self.method.iter().map(|_| Trait::Method);
        let headers = exact(&self.headers).map(|one| Trait::Header(one.name.clone()));
        let query = exact(&self.query).map(|one| Trait::Query(one.name.clone()));
        method.chain(headers).chain(query)
    }

    /// Takes out the one value that it wants; whoever takes it sees to it that it is there.
    pub(super) fn take(&mut self, by: &Trait) -> Option<String> {
        match by {
            Trait::Method => self.method.take(),
            Trait::Header(name) => take_exact(&mut self.headers, name),
            Trait::Query(name) => take_exact(&mut self.query, name),
        }
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

/// Conditions that want one value.
fn exact(conditions: &[ValueMatch]) -> impl Iterator<Item = &ValueMatch> {
    conditions.iter().filter(|one| matches!(one.value, ValuePattern::Exact(_)))
}

fn take_exact(conditions: &mut Vec<ValueMatch>, name: &str) -> Option<String> {
    let is_it = |one: &ValueMatch| one.name == name && matches!(one.value, ValuePattern::Exact(_));
    let at = conditions.iter().position(is_it)?;
    match conditions.remove(at).value {
        ValuePattern::Exact(value) => Some(value),
        ValuePattern::Regex(_) => None,
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

/// The method of a preflight, and the field with the method that it asks for (Fetch section 3.2.2).
pub(super) const PREFLIGHT: &str = "OPTIONS";
pub(super) const REQUESTED_METHOD: &str = "access-control-request-method";
