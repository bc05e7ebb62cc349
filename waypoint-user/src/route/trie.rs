//! Candidates by path prefix, element by element.
//!
//! `/a` holds `/a`, `/a/` and `/a/b`, not `/ab`. A `/` that ends a prefix does not count.

use std::collections::HashMap;

use crate::mesh::request::RequestHead;

use super::{bucket::Bucket, index::Found};

/// What there is of one prefix, and the longer prefixes.
#[derive(Debug, Default)]
pub(super) struct Node<T> {
    prefix_len: usize,
    content: T,
    children: HashMap<String, Self>,
}

impl<T: Default> Node<T> {
    /// What there is of a prefix, which may be nothing yet.
    pub(super) fn at(&mut self, prefix: &str) -> &mut T {
        let mut node = self;
        let trimmed = prefix.trim_end_matches('/');
        for element in elements(trimmed) {
            let prefix_len = node.prefix_len + 1 + element.len();
            let child = || Self { prefix_len, ..Self::default() };
            node = node.children.entry(element.to_owned()).or_insert_with(child);
        }
        &mut node.content
    }

    /// The same prefixes with something else.
    pub(super) fn map<U>(self, change: &impl Fn(T) -> U) -> Node<U> {
        let children = self.children.into_iter();
        Node {
            prefix_len: self.prefix_len,
            content: change(self.content),
            children: children.map(|(element, child)| (element, child.map(change))).collect(),
        }
    }
}

impl Node<Bucket> {
    /// The rule that decides about a request: that of the longest prefix that has one.
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
            let (_, rule) = self.content.find(head)?;
            Some(Found { rule, prefix_len: Some(self.prefix_len) })
        })
    }
}

/// What stands between the slashes of a path; none for the root, and for what is not a path (`*`).
fn elements(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').into_iter().flat_map(|elements| elements.split('/'))
}
