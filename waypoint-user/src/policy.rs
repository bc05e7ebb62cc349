//! Whether a peer may do what it asks, by the AuthorizationPolicies of what it asks for.
//!
//! It enforces nothing and knows no protocol: the caller shows it a connection, and a request if
//! one was understood, and acts on the [`Verdict`].
//!
//! A DENY rule that matches denies. Else, where an ALLOW policy applies, one of its rules must
//! match. What a rule cannot ask is decided against the asker:
//!
//! | | in ALLOW | in DENY |
//! |---|---|---|
//! | no rules | nothing is permitted | nothing is denied |
//! | an attribute that is not supported | the rule never matches | as if it were absent |
//! | an HTTP attribute, of opaque TCP | the rule never matches | as if it were absent |
//! | an identity, of a peer without one | no value matches | no value matches |
//!
//! So a DENY rule with nothing but HTTP attributes denies all opaque TCP, as in Istio.
//!
//! **Invariant:** a policy that only runs dry changes no verdict.
//! **Invariant:** paths are matched as given; the caller normalises them first (`mesh::path`).

use std::net::SocketAddr;

use crate::mesh::{
    request::{Peer, RequestHead},
    service::Service,
    snapshot::Snapshot,
    workload::Workload,
};

use self::{facts::Facts, rules::RuleSet};

mod attachment;
mod facts;
mod path_template;
mod rules;

/// The policies that apply to a Service or a workload behind its waypoint.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    enforced: RuleSet,
    shadow: RuleSet,
}

/// Who asks for what.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Who opened the connection.
    pub peer: &'a Peer,
    /// Where it was addressed to, before any routing.
    pub destination: SocketAddr,
    /// The request; `None` for opaque TCP.
    pub head: Option<&'a dyn RequestHead>,
}

/// What the policies say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// The subject may go on.
    Allow,
    /// The subject may not.
    Deny {
        /// The rule that says so, as `ns[<namespace>]-policy[<name>]-rule[<index>]`; `None` when no
        /// ALLOW rule matched.
        rule: Option<String>,
    },
}

impl Policies {
    /// The policies of connections addressed to a Service; none, unless a waypoint stands before
    /// it.
    pub fn for_service(snapshot: &Snapshot, service: &Service) -> Self {
        Self::of(&attachment::of_service(snapshot, service))
    }

    /// The policies of connections addressed to a workload; none, unless a waypoint stands before
    /// it.
    pub fn for_workload(snapshot: &Snapshot, workload: &Workload) -> Self {
        Self::of(&attachment::of_workload(snapshot, workload))
    }

    /// Whether the subject may go on.
    pub fn judge(&self, subject: &Subject<'_>) -> Verdict {
        self.enforced.judge(&Facts::of(subject))
    }

    /// What the policies that only run dry would say, were they alone; `None` when there are none.
    pub fn shadow(&self, subject: &Subject<'_>) -> Option<Verdict> {
        (!self.shadow.is_empty()).then(|| self.shadow.judge(&Facts::of(subject)))
    }

    fn of(policies: &[attachment::Attached]) -> Self {
        let (shadow, enforced) = policies.iter().cloned().partition::<Vec<_>, _>(|one| one.dry_run);
        Self { enforced: RuleSet::new(enforced), shadow: RuleSet::new(shadow) }
    }
}

#[cfg(test)]
mod tests;
