//! Candidates by path, in the order in which they decide.
//!
//! Exact paths are looked up by hash and prefixes element by element, so neither costs more when
//! there are more of them; expressions are tried one after another.

use std::{cmp::Reverse, collections::HashMap};

use crate::mesh::{pattern::Regex, request::RequestHead, route::PathMatch};

use super::{candidate::Candidate, rule::Rule, trie::Node};

/// All candidates.
#[derive(Debug, Default)]
pub(super) struct Index {
    exact: HashMap<String, Vec<Candidate>>,
    prefixes: Node,
    expressions: Vec<(Regex, Candidate)>,
}

/// The rule that decides.
pub(super) struct Found<'t> {
    /// The rule.
    pub(super) rule: &'t Rule,
    /// How much of the path a prefix matched, if it was one.
    pub(super) prefix_len: Option<usize>,
}

impl Index {
    /// Adds a candidate; of those that [`sort`](Self::sort) finds equal, the first added decides.
    pub(super) fn insert(&mut self, path: PathMatch, candidate: Candidate) {
        match path {
            PathMatch::Exact(path) => self.exact.entry(path).or_default().push(candidate),
            PathMatch::Prefix(prefix) => self.prefixes.insert(&prefix, candidate),
            PathMatch::Regex(regex) => self.expressions.push((regex, candidate)),
        }
    }

    /// Puts candidates into the order in which they decide.
    pub(super) fn sort(&mut self) {
        self.exact.values_mut().for_each(|bucket| bucket.sort_by_key(Candidate::rank));
        self.prefixes.sort();
        self.expressions
            .sort_by_key(|(regex, candidate)| (Reverse(regex.as_str().len()), candidate.rank()));
    }

    /// The rule that decides about a request.
    pub(super) fn find(&self, head: &dyn RequestHead) -> Option<Found<'_>> {
        self.find_exact(head)
            .or_else(|| self.prefixes.find(head))
            .or_else(|| self.find_expression(head))
    }

    fn find_exact(&self, head: &dyn RequestHead) -> Option<Found<'_>> {
        let bucket = self.exact.get(head.path())?;
        let candidate = bucket.iter().find(|candidate| candidate.matches(head))?;
        Some(Found { rule: &candidate.rule, prefix_len: None })
    }

    fn find_expression(&self, head: &dyn RequestHead) -> Option<Found<'_>> {
        let (_, candidate) = self
            .expressions
            .iter()
            .find(|(regex, candidate)| regex.matches(head.path()) && candidate.matches(head))?;
        Some(Found { rule: &candidate.rule, prefix_len: None })
    }
}
