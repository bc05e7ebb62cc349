use std::{net::SocketAddr, sync::Arc};

use super::*;
use crate::mesh::{
    object::ObjectName,
    pattern::StringMatch,
    policy::{
        Action, AnyNone, AuthorizationPolicy, Condition, Operation, PathPattern, PolicyRule,
        PolicyTarget, Source,
    },
    request::sample::Request,
    spiffe::SpiffeId,
};

mod attachment;
mod destination;
mod oracle;
mod vectors;

/// A policy `default/p` on the Service `default/s`.
fn policy(action: Action, rules: Vec<PolicyRule>) -> AuthorizationPolicy {
    AuthorizationPolicy {
        name: ObjectName::new("default", "p"),
        action,
        targets: vec![PolicyTarget::Service(ObjectName::new("default", "s"))],
        rules,
        dry_run: false,
    }
}

fn policies(all: impl IntoIterator<Item = AuthorizationPolicy>) -> Policies {
    let target = PolicyTarget::GatewayClass("any".to_owned());
    let attached = |policy| Attached { policy: Arc::new(policy), target: target.clone() };
    let attached: Vec<_> = all.into_iter().map(attached).collect();
    Policies::of_layer(&attached, Layer::Waypoint)
}

/// A peer that runs as `<namespace>/<account>`.
fn pod(namespace: &str, account: &str) -> Peer {
    let identity = Arc::new(SpiffeId::new("cluster.local", namespace, account));
    Peer { identity: Some(identity), ..stranger() }
}

/// A peer that the kernel does not know.
fn stranger() -> Peer {
    Peer::unknown("10.1.0.9:40000".parse().unwrap())
}

fn destination() -> SocketAddr {
    "10.0.0.1:80".parse().unwrap()
}

/// The verdict on a request to port 80.
fn judge(policies: &Policies, peer: &Peer, request: &Request) -> Verdict {
    policies.judge(&Subject { peer, destination: destination(), head: Some(request) })
}

/// The verdict on opaque TCP to port 80.
fn judge_tcp(policies: &Policies, peer: &Peer) -> Verdict {
    policies.judge(&Subject { peer, destination: destination(), head: None })
}

fn denied_by(rule: &str) -> Verdict {
    Verdict::Deny { rule: Some(rule.to_owned()) }
}

const NOT_ALLOWED: Verdict = Verdict::Deny { rule: None };

fn one_of<T>(values: impl IntoIterator<Item = T>) -> AnyNone<T> {
    AnyNone { any: values.into_iter().collect(), none: vec![] }
}

fn none_of<T>(values: impl IntoIterator<Item = T>) -> AnyNone<T> {
    AnyNone { any: vec![], none: values.into_iter().collect() }
}

fn text(pattern: &str) -> StringMatch {
    StringMatch::parse(pattern)
}

fn from(source: Source) -> PolicyRule {
    PolicyRule { from: vec![source], ..PolicyRule::default() }
}

fn to(operation: Operation) -> PolicyRule {
    PolicyRule { to: vec![operation], ..PolicyRule::default() }
}

fn when(condition: Condition) -> PolicyRule {
    PolicyRule { when: vec![condition], ..PolicyRule::default() }
}

fn principals(pattern: &str) -> PolicyRule {
    from(Source { principals: one_of([text(pattern)]), ..Source::default() })
}

fn service_account(namespace: &str, name: &str) -> AnyNone<ObjectName> {
    one_of([ObjectName::new(namespace, name)])
}

fn methods(pattern: &str) -> PolicyRule {
    to(Operation { methods: one_of([text(pattern)]), ..Operation::default() })
}

fn paths(pattern: &str) -> PolicyRule {
    let pattern = PathPattern::parse(pattern).unwrap();
    to(Operation { paths: one_of([pattern]), ..Operation::default() })
}

fn hosts(pattern: &str) -> PolicyRule {
    to(Operation { hosts: one_of([text(pattern)]), ..Operation::default() })
}

fn ports(port: u16) -> PolicyRule {
    to(Operation { ports: one_of([port]), ..Operation::default() })
}
