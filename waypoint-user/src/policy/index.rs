//! Which rules can match at all, by the path that is asked for or by who asks, so that judging a
//! request does not take longer with every rule.
//!
//! It leaves out only rules that cannot match; whether the others do is theirs to say.

use std::collections::{BTreeSet, HashMap};

use crate::mesh::{
    pattern::StringMatch,
    policy::{PathPattern, PolicyRule},
};

use super::facts::{Facts, without_scheme};

/// The positions of rules, by texts of which one must be there for the rule to match.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    by_path: Literals,
    by_principal: Literals,
    /// Those that may match whatever is asked by whomever.
    others: Vec<usize>,
}

impl Index {
    /// Adds the rule at a position.
    pub(super) fn add(&mut self, at: usize, rule: &PolicyRule) {
        if let Some(paths) = paths(rule) {
            self.by_path.add(at, paths);
        } else if let Some(principals) = principals(rule) {
            self.by_principal.add(at, principals);
        } else {
            self.others.push(at);
        }
    }

    /// The rules that can match a request; some may come more than once.
    pub(super) fn candidates<'a>(
        &'a self,
        path: &'a str,
        facts: &'a Facts<'_>,
    ) -> impl Iterator<Item = usize> + 'a {
        let asks = if self.by_principal.is_empty() { None } else { facts.principal() };
        let by_principal = asks.into_iter().flat_map(|who| self.by_principal.find(who));
        self.by_path.find(path).chain(by_principal).chain(self.others.iter().copied())
    }
}

/// Positions by texts that are equal to another, or begin it.
#[derive(Clone, Debug, Default)]
struct Literals {
    whole: HashMap<String, Vec<usize>>,
    beginnings: HashMap<String, Vec<usize>>,
    /// How long beginnings are; of each length one can be that of a text.
    lengths: BTreeSet<usize>,
}

impl Literals {
    fn add(&mut self, at: usize, texts: Vec<Literal<'_>>) {
        for text in texts {
            let positions = match text {
                Literal::Whole(text) => self.whole.entry(text.to_owned()),
                Literal::Beginning(text) => {
                    self.lengths.insert(text.len());
                    self.beginnings.entry(text.to_owned())
                }
            };
            positions.or_default().push(at);
        }
    }

    fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.beginnings.is_empty()
    }

    fn find<'a>(&'a self, text: &'a str) -> impl Iterator<Item = usize> + 'a {
        let whole = self.whole.get(text);
        let lengths = self.lengths.range(..=text.len());
        let beginnings = lengths.filter_map(|length| text.get(..*length));
        let beginnings = beginnings.filter_map(|begin| self.beginnings.get(begin));
        whole.into_iter().chain(beginnings).flatten().copied()
    }
}

/// What a text must be.
enum Literal<'t> {
    Whole(&'t str),
    Beginning(&'t str),
}

/// The paths of which a request must have one for the rule to match, if there are such.
fn paths(rule: &PolicyRule) -> Option<Vec<Literal<'_>>> {
    let all = rule.to.iter().map(|operation| {
        literals(&operation.paths.any, |path| match path {
            PathPattern::String(pattern) => literal(pattern),
            PathPattern::Template(_) => None,
        })
    });
    each(all)
}

/// The principals of which a peer must be one for the rule to match, if there are such.
fn principals(rule: &PolicyRule) -> Option<Vec<Literal<'_>>> {
    let all = rule.from.iter().map(|source| {
        literals(&source.principals.any, |pattern| {
            literal(pattern).map(|literal| match literal {
                Literal::Whole(text) => Literal::Whole(without_scheme(text)),
                Literal::Beginning(text) => Literal::Beginning(without_scheme(text)),
            })
        })
    });
    each(all)
}

/// The literals of all alternatives, if there are alternatives and each has some.
fn each<'r>(all: impl Iterator<Item = Option<Vec<Literal<'r>>>>) -> Option<Vec<Literal<'r>>> {
    let all = all.collect::<Option<Vec<_>>>()?;
    (!all.is_empty()).then(|| all.into_iter().flatten().collect())
}

/// The literals that an attribute's values are, if it has values and all are literals.
fn literals<'r, T>(
    values: &'r [T],
    literal: impl Fn(&'r T) -> Option<Literal<'r>>,
) -> Option<Vec<Literal<'r>>> {
    let all = values.iter().map(literal).collect::<Option<Vec<_>>>()?;
    (!all.is_empty()).then_some(all)
}

fn literal(pattern: &StringMatch) -> Option<Literal<'_>> {
    match pattern {
        StringMatch::Exact(text) => Some(Literal::Whole(text)),
        StringMatch::Prefix(text) => Some(Literal::Beginning(text)),
        StringMatch::Suffix(_) | StringMatch::Present => None,
    }
}
