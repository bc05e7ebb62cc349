//! Candidates by path prefix, element by element.
//!
//! `/a` holds `/a`, `/a/` and `/a/b`, not `/ab`. A `/` that ends a prefix does not count.

use std::collections::HashMap;

use crate::mesh::request::RequestHead;

use super::{candidate::Candidate, index::Found};

/// The candidates of one prefix, and the longer prefixes.
#[derive(Debug, Default)]
pub(super) struct Node {
    prefix_len: usize,
    candidates: Vec<Candidate>,
    children: HashMap<String, Self>,
}

impl Node {
    /// Adds a candidate under a prefix.
    pub(super) fn insert(&mut self, prefix: &str, candidate: Candidate) {
        let mut node = self;
        let trimmed = prefix.trim_end_matches('/');
        for element in elements(trimmed) {
            let prefix_len = node.prefix_len + 1 + element.len();
            let child = || Self { prefix_len, ..Self::default() };
            node = node.children.entry(element.to_owned()).or_insert_with(child);
        }
        node.candidates.push(candidate);
    }

    /// Puts the candidates of each prefix into the order in which they decide.
    pub(super) fn sort(&mut self) {
        self.candidates.sort_by_key(Candidate::rank);
        self.children.values_mut().for_each(Self::sort);
    }

    /// The candidate that decides about a request: the first of the longest prefix that has one.
    pub(super) fn find(&self, head: &dyn RequestHead) -> Option<Found<'_>> {
        self.find_below(&mut elements(head.path()), head)
    }

    fn find_below<'p>(
        &self,
        rest: &mut impl Iterator<Item = &'p str>,
        head: &dyn RequestHead,
    ) -> Option<Found<'_>> {
        let child = rest.next().and_then(|element| self.children.get(element));
        child.and_then(|child| child.find_below(rest, head)).or_else(|| {
            let candidate = self.candidates.iter().find(|candidate| candidate.matches(head))?;
            Some(Found { rule: &candidate.rule, prefix_len: Some(self.prefix_len) })
        })
    }
}

/// What stands between the slashes of a path; none for the root, and for what is not a path (`*`).
fn elements(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').into_iter().flat_map(|elements| elements.split('/'))
}
