//! Candidates of one path, in the order in which they decide.
//!
//! Where many of them differ in the value of one thing (a header field, a query parameter, the
//! method), that value is looked up instead of asking each: what a request costs grows with the
//! number of such things, not with the number of candidates.
//!
//! **Invariant:** the candidate found is the one that asking all of them in turn would find.

use std::collections::HashMap;

use crate::mesh::request::RequestHead;

use super::{
    candidate::{Candidate, Trait},
    rule::Rule,
};

/// Candidates that are asked one after another, or told apart by a value first.
#[derive(Debug)]
pub(super) enum Bucket {
    /// Few, or alike.
    Listed(Vec<Placed>),
    /// Told apart.
    Split {
        /// What tells them apart.
        by: Trait,
        /// Those that want a value of it.
        of_value: HashMap<String, Self>,
        /// Those that do not ask for it.
        other: Box<Self>,
    },
}

/// A candidate and its place in the order of all.
#[derive(Debug)]
pub(super) struct Placed {
    place: usize,
    candidate: Candidate,
}

impl Bucket {
    /// Candidates of which the first one that matches decides.
    pub(super) fn new(candidates: Vec<Candidate>) -> Self {
        let placed = candidates.into_iter().enumerate();
        Self::of(placed.map(|(place, candidate)| Placed { place, candidate }).collect())
    }

    /// Candidates with their places, in order.
    pub(super) fn of(candidates: Vec<Placed>) -> Self {
        let Some(by) = telling(&candidates) else { return Self::Listed(candidates) };
        let mut of_value: HashMap<String, Vec<Placed>> = HashMap::new();
        let mut other = Vec::new();
        for mut placed in candidates {
            match placed.candidate.take(&by) {
                Some(value) => of_value.entry(value).or_default().push(placed),
                None => other.push(placed),
            }
        }
        let of_value = of_value.into_iter().map(|(value, those)| (value, Self::of(those)));
        Self::Split { by, of_value: of_value.collect(), other: Box::new(Self::of(other)) }
    }

    /// The rule that decides about a request whose path fits, with its place.
    pub(super) fn find(&self, head: &dyn RequestHead) -> Option<(usize, &Rule)> {
        match self {
            Self::Listed(candidates) => {
                let found = candidates.iter().find(|placed| placed.candidate.matches(head))?;
                Some((found.place, &found.candidate.rule))
            }
            Self::Split { by, of_value, other } => {
                let value = by.value(head);
                let special = value.and_then(|value| of_value.get(value.as_ref())?.find(head));
                first(special, other.find(head))
            }
        }
    }
}

impl Placed {
    /// A candidate at a place.
    pub(super) fn new(place: usize, candidate: Candidate) -> Self {
        Self { place, candidate }
    }
}

/// Whichever of two comes first.
pub(super) fn first<'t>(
    one: Option<(usize, &'t Rule)>,
    other: Option<(usize, &'t Rule)>,
) -> Option<(usize, &'t Rule)> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if other.0 < one.0 { other } else { one }),
        (one, other) => one.or(other),
    }
}

/// What tells most of the candidates apart, if that is worth it.
fn telling(candidates: &[Placed]) -> Option<Trait> {
    if candidates.len() < SPLIT_MIN {
        return None;
    }
    let mut counts: HashMap<Trait, usize> = HashMap::new();
    for one in candidates.iter().flat_map(|placed| placed.candidate.traits()) {
        *counts.entry(one).or_default() += 1;
    }
    let most = counts.into_iter().filter(|(_, count)| *count >= SPLIT_MIN);
    // Of equals always the same one, so that equal routes compile to equal tables.
    most.max_by(|one, other| (one.1, &other.0).cmp(&(other.1, &one.0))).map(|(by, _)| by)
}

/// So many candidates must want a value of a thing before it is looked up.
const SPLIT_MIN: usize = 8;
