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
//! So at a waypoint a DENY rule with nothing but HTTP attributes denies all opaque TCP, as in
//! Istio.
//!
//! Policies without targets are judged at the destination, by its agent, which sees connections and
//! no requests ([`Policies::at_destination`]; Istio ztunnel `src/rbac.rs`). There a DENY rule of
//! which nothing is left without its HTTP attributes has no effect, and PeerAuthentication is
//! judged first: where it asks for mutual TLS, a peer without identity is denied.
//!
//! The identity is everywhere the peer's own, which behind a waypoint is the waypoint's. The client
//! in whose name a waypoint asks is matched by the keys `waypoint.dev/client.principal` and
//! `waypoint.dev/client.namespace` alone; a peer that asks for itself has no client, and no value
//! matches it there.
//!
//! **Invariant:** a policy that only runs dry changes no verdict.
//! **Invariant:** paths are matched as given; the caller normalises them first (`mesh::path`).

use std::{net::SocketAddr, sync::Arc};

use crate::mesh::{
    object::ObjectName,
    request::{Peer, RequestHead},
    service::Service,
    snapshot::Snapshot,
    workload::{MutualTls, Workload},
};

use self::{
    facts::Facts,
    rules::{Layer, RuleSet},
};

mod attachment;
mod facts;
mod hidden;
mod index;
mod path_template;
mod rules;

pub use self::{attachment::Attached, hidden::never_matches};

/// The policies that apply to a Service or a workload behind its waypoint.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    enforced: RuleSet,
    shadow: RuleSet,
    mutual_tls: Option<Strict>,
}

/// Where a peer must have an identity.
#[derive(Clone, Debug)]
struct Strict {
    ports: MutualTls,
    /// How verdicts name it.
    rule: String,
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
        Self::of_layer(&attachment::of_service(snapshot, service), Layer::Waypoint)
    }

    /// The policies of connections that a Service's second waypoint takes: the Service's own, and
    /// those of that waypoint instead of the first one's. None, unless it has that second waypoint.
    pub fn for_canary(snapshot: &Snapshot, service: &Service) -> Self {
        let canary = service.canary.as_ref();
        let attached = canary.map(|one| attachment::through(snapshot, &one.waypoint, service));
        Self::of_layer(&attached.unwrap_or_default(), Layer::Waypoint)
    }

    /// The policies of connections addressed to a workload; none, unless a waypoint stands before
    /// it.
    pub fn for_workload(snapshot: &Snapshot, workload: &Workload) -> Self {
        Self::of_layer(&attachment::of_workload(snapshot, workload), Layer::Waypoint)
    }

    /// The policies of whatever reaches a workload, to be judged at the workload's own node.
    pub fn at_destination(snapshot: &Snapshot, workload: &Workload) -> Self {
        let attached = attachment::at_destination(snapshot, workload);
        let root = &snapshot.settings().root_namespace;
        let strict = (workload.mutual_tls != MutualTls::default()).then(|| Strict {
            ports: workload.mutual_tls.clone(),
            rule: format!("ns[{root}]-policy[{STRICT_POLICY}]-rule[0]"),
        });
        Self { mutual_tls: strict, ..Self::of_layer(&attached, Layer::Destination) }
    }

    /// The names of the AuthorizationPolicies of [`Self::at_destination`].
    pub fn names_at_destination(snapshot: &Snapshot, workload: &Workload) -> Vec<ObjectName> {
        let attached = attachment::at_destination(snapshot, workload);
        attached.iter().map(|one| one.policy.name.clone()).collect()
    }

    /// What [`Self::for_service`] or [`Self::for_canary`] is made of, by the waypoint that takes
    /// the connections, in the order in which it was found.
    pub fn of_service(
        snapshot: &Snapshot,
        waypoint: &ObjectName,
        service: &Service,
    ) -> Vec<Attached> {
        attachment::through(snapshot, waypoint, service)
    }

    /// What [`Self::for_workload`] is made of.
    pub fn of_workload(snapshot: &Snapshot, workload: &Workload) -> Vec<Attached> {
        attachment::of_workload(snapshot, workload)
    }

    /// What [`Self::at_destination`] is made of, without PeerAuthentication.
    pub fn of_destination(snapshot: &Snapshot, workload: &Workload) -> Vec<Attached> {
        attachment::at_destination(snapshot, workload)
    }

    /// Whether nothing is ever denied.
    pub fn is_empty(&self) -> bool {
        self.mutual_tls.is_none() && self.enforced.is_empty()
    }

    /// Whether the subject may go on.
    pub fn judge(&self, subject: &Subject<'_>) -> Verdict {
        if let Some(strict) = &self.mutual_tls
            && subject.peer.identity.is_none()
            && strict.ports.is_required(subject.destination.port())
        {
            return Verdict::Deny { rule: Some(strict.rule.clone()) };
        }
        self.enforced.judge(&Facts::of(subject))
    }

    /// What the policies that only run dry would say, were they alone; `None` when there are none.
    pub fn shadow(&self, subject: &Subject<'_>) -> Option<Verdict> {
        (!self.shadow.is_empty()).then(|| self.shadow.judge(&Facts::of(subject)))
    }

    fn of_layer(policies: &[Attached], layer: Layer) -> Self {
        let policies = policies.iter().map(|one| Arc::clone(&one.policy));
        let (shadow, enforced) = policies.partition::<Vec<_>, _>(|one| one.dry_run);
        Self {
            enforced: RuleSet::new(enforced, layer),
            shadow: RuleSet::new(shadow, layer),
            mutual_tls: None,
        }
    }
}

/// The name of the policy that Istio makes of PeerAuthentications.
const STRICT_POLICY: &str = "istio_converted_static_strict";

#[cfg(test)]
mod tests;
