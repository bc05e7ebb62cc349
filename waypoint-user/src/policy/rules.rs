//! The rules of policies, in the order in which they decide.

use std::sync::Arc;

use crate::mesh::policy::{Action, AuthorizationPolicy, Condition, Operation, PolicyRule};

use super::{Verdict, facts::Facts, index::Index};

/// Rules that decide together.
#[derive(Clone, Debug, Default)]
pub(super) struct RuleSet {
    deny: Rules,
    allow: Rules,
    /// Whether there is an ALLOW policy, with rules or not.
    must_be_allowed: bool,
}

/// Where rules are judged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Layer {
    /// At a waypoint, which understands requests.
    Waypoint,
    /// At the destination's agent, which sees connections only.
    Destination,
}

impl RuleSet {
    /// Takes the rules of policies apart.
    pub(super) fn new(policies: Vec<Arc<AuthorizationPolicy>>, layer: Layer) -> Self {
        let mut set = Self::default();
        for policy in policies {
            match policy.action {
                Action::Deny => set.deny.extend(Rule::of(&policy).map(|rule| Rule {
                    only_rest: layer == Layer::Destination && rule.asks_more(),
                    ..rule
                })),
                Action::Allow => {
                    set.must_be_allowed = true;
                    let rules = Rule::of(&policy).filter(|rule| !rule.asks_unsupported);
                    set.allow.extend(rules);
                }
            }
        }
        set
    }

    /// Whether nothing is ever denied.
    pub(super) fn is_empty(&self) -> bool {
        self.deny.is_empty() && !self.must_be_allowed
    }

    /// DENY, then ALLOW.
    pub(super) fn judge(&self, facts: &Facts<'_>) -> Verdict {
        if let Some(rule) = self.deny.first(facts, |_| true) {
            return Verdict::Deny { rule: Some(rule.name()) };
        }
        let is_http = facts.path().is_some();
        let allowed = self.allow.first(facts, |rule| is_http || !rule.asks_http).is_some();
        if allowed || !self.must_be_allowed { Verdict::Allow } else { Verdict::Deny { rule: None } }
    }
}

/// Rules in their order.
#[derive(Clone, Debug, Default)]
struct Rules {
    all: Vec<Rule>,
    index: Index,
}

impl Rules {
    fn extend(&mut self, rules: impl Iterator<Item = Rule>) {
        for rule in rules {
            if let Some(declared) = rule.declared() {
                self.index.add(self.all.len(), declared);
            }
            self.all.push(rule);
        }
    }

    fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The first rule that matches, of those that may.
    fn first(&self, facts: &Facts<'_>, may: impl Fn(&Rule) -> bool) -> Option<&Rule> {
        let matches = |rule: &&Rule| may(rule) && rule.matches(facts);
        let Some(path) = facts.path() else {
            return self.all.iter().find(matches);
        };
        let is_match = |at: &usize| self.all.get(*at).as_ref().is_some_and(matches);
        self.all.get(self.index.candidates(path, facts).filter(is_match).min()?)
    }
}

/// A rule of a policy.
#[derive(Clone, Debug)]
struct Rule {
    policy: Arc<AuthorizationPolicy>,
    index: usize,
    asks_http: bool,
    asks_unsupported: bool,
    /// Whether it matches only by what is left without HTTP attributes.
    only_rest: bool,
}

impl Rule {
    fn of(policy: &Arc<AuthorizationPolicy>) -> impl Iterator<Item = Self> {
        policy.rules.iter().enumerate().map(|(index, rule)| Self {
            policy: Arc::clone(policy),
            index,
            asks_http: asks_http(rule),
            asks_unsupported: !rule.unsupported.is_empty(),
            only_rest: false,
        })
    }

    /// The rule, as it was declared.
    fn declared(&self) -> Option<&PolicyRule> {
        self.policy.rules.get(self.index)
    }

    /// Whether it asks for more than a connection can tell.
    fn asks_more(&self) -> bool {
        self.asks_http || self.asks_unsupported
    }

    fn matches(&self, facts: &Facts<'_>) -> bool {
        self.declared().is_some_and(|rule| {
            if self.only_rest { facts.match_rest(rule) } else { facts.match_rule(rule) }
        })
    }

    fn name(&self) -> String {
        let policy = &self.policy.name;
        format!("ns[{}]-policy[{}]-rule[{}]", policy.namespace, policy.name, self.index)
    }
}

/// Whether the rule has an attribute that only HTTP requests have.
fn asks_http(rule: &PolicyRule) -> bool {
    rule.to.iter().any(Operation::asks_http) || rule.when.iter().any(Condition::asks_http)
}
