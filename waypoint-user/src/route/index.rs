//! Candidates by path, in the order in which they decide.
//!
//! Exact paths are looked up by hash, prefixes element by element, and expressions all at once, so
//! that none costs more when there are more of them.

use std::{cmp::Reverse, collections::HashMap};

use crate::mesh::{
    pattern::{Regex, RegexSet},
    request::RequestHead,
    route::PathMatch,
};

use super::{
    bucket::{Bucket, Placed, first},
    candidate::Candidate,
    rule::Rule,
    trie::Node,
};

/// All candidates.
#[derive(Debug)]
pub(super) struct Index {
    exact: HashMap<String, Bucket>,
    prefixes: Node<Bucket>,
    expressions: Expressions,
}

/// The rule that decides.
pub(super) struct Found<'t> {
    /// The rule.
    pub(super) rule: &'t Rule,
    /// How much of the path a prefix matched, if it was one.
    pub(super) prefix_len: Option<usize>,
}

/// Candidates on their way into an [`Index`].
#[derive(Debug, Default)]
pub(super) struct Builder {
    exact: HashMap<String, Vec<Candidate>>,
    prefixes: Node<Vec<Candidate>>,
    expressions: Vec<(Regex, Candidate)>,
}

impl Builder {
    /// Adds a candidate; of those of one path and equal rank, the first added decides.
    pub(super) fn insert(&mut self, path: PathMatch, candidate: Candidate) {
        match path {
            PathMatch::Exact(path) => self.exact.entry(path).or_default().push(candidate),
            PathMatch::Prefix(prefix) => self.prefixes.at(&prefix).push(candidate),
            PathMatch::Regex(regex) => self.expressions.push((regex, candidate)),
        }
    }

    /// Puts candidates into the order in which they decide.
    pub(super) fn build(self) -> Index {
        let exact = self.exact.into_iter().map(|(path, those)| (path, ranked(those)));
        Index {
            exact: exact.collect(),
            prefixes: self.prefixes.map(&ranked),
            expressions: Expressions::new(self.expressions),
        }
    }
}

impl Index {
    /// The rule that decides about a request.
    pub(super) fn find(&self, head: &dyn RequestHead) -> Option<Found<'_>> {
        let without_prefix = |(_, rule)| Found { rule, prefix_len: None };
        let exact = self.exact.get(head.path()).and_then(|bucket| bucket.find(head));
        exact
            .map(without_prefix)
            .or_else(|| self.prefixes.find(head))
            .or_else(|| self.expressions.find(head).map(without_prefix))
    }
}

/// A bucket of candidates of one path.
fn ranked(mut candidates: Vec<Candidate>) -> Bucket {
    candidates.sort_by_key(Candidate::rank);
    Bucket::new(candidates)
}

/// Candidates by expression, each expression once.
#[derive(Debug, Default)]
struct Expressions {
    set: RegexSet,
    buckets: Vec<Bucket>,
}

impl Expressions {
    fn new(mut candidates: Vec<(Regex, Candidate)>) -> Self {
        candidates
            .sort_by_key(|(regex, candidate)| (Reverse(regex.as_str().len()), candidate.rank()));
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut expressions: Vec<(Regex, Vec<Placed>)> = Vec::new();
        for (place, (regex, candidate)) in candidates.into_iter().enumerate() {
            let placed = Placed::new(place, candidate);
            let same = known.get(regex.as_str()).and_then(|at| expressions.get_mut(*at));
            if let Some((_, those)) = same {
                those.push(placed);
            } else {
                known.insert(regex.as_str().to_owned(), expressions.len());
                expressions.push((regex, vec![placed]));
            }
        }
        let (all, buckets): (Vec<_>, Vec<_>) = expressions.into_iter().unzip();
        Self { set: RegexSet::new(all), buckets: buckets.into_iter().map(Bucket::of).collect() }
    }

    /// The rule that decides, with its place.
    fn find(&self, head: &dyn RequestHead) -> Option<(usize, &Rule)> {
        let mut found = None;
        self.set.each_match(head.path(), |at| {
            found = first(found, self.buckets.get(at).and_then(|bucket| bucket.find(head)));
        });
        found
    }
}
