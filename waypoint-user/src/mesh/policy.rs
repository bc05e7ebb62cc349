//! AuthorizationPolicies (Istio `security/v1` AuthorizationPolicy).
//!
//! They are kept as written; `policy` decides by them.
//!
//! **Invariant:** what could not be understood in a policy never makes it permit more.

mod path;

pub use path::{InvalidTemplate, PathPattern, PathTemplate, TemplateSegment};

use super::{address::IpBlock, label::Selector, object::ObjectName, pattern::StringMatch};

/// An AuthorizationPolicy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuthorizationPolicy {
    /// Its name.
    pub name: ObjectName,
    /// What a match means.
    pub action: Action,
    /// What it is attached to.
    pub targets: Vec<PolicyTarget>,
    /// Alternatives; none matches nothing.
    pub rules: Vec<PolicyRule>,
    /// Whether it is only evaluated, not enforced.
    pub dry_run: bool,
}

/// What a match of a policy means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Permit; where an ALLOW policy applies and none matches, deny.
    Allow,
    /// Deny.
    Deny,
}

/// What a policy is attached to.
#[derive(Clone, Debug, Eq, PartialEq, Hash)]
pub enum PolicyTarget {
    /// A Service of the policy's namespace that is bound to the waypoint.
    Service(ObjectName),
    /// A ServiceEntry of the policy's namespace: each of its hosts.
    ServiceEntry(ObjectName),
    /// A waypoint of the policy's namespace, for all of its services.
    Gateway(ObjectName),
    /// Every waypoint of a class, from the root namespace.
    GatewayClass(String),
    /// Everything behind waypoints in a namespace: a policy whose targets could not be read.
    Namespace(String),
    /// Pods by their labels, judged where they are and not at a waypoint: in the policy's own
    /// namespace, or where that is the root namespace in all.
    Pods(Selector),
}

/// A rule: any source, any operation, and all conditions; an empty list is no restriction.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PolicyRule {
    /// Who asks.
    pub from: Vec<Source>,
    /// What is asked for.
    pub to: Vec<Operation>,
    /// What else must hold.
    pub when: Vec<Condition>,
    /// Attributes that are not supported: such a rule never matches in ALLOW, and in DENY matches
    /// as if they were absent.
    pub unsupported: Vec<String>,
}

/// Values of one attribute: any of `any`, and none of `none`; both empty is no restriction.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AnyNone<T> {
    /// One of these must match, unless there are none.
    pub any: Vec<T>,
    /// None of these may match.
    pub none: Vec<T>,
}

impl<T> Default for AnyNone<T> {
    fn default() -> Self {
        Self { any: Vec::new(), none: Vec::new() }
    }
}

impl<T> AnyNone<T> {
    /// Whether it restricts nothing.
    pub fn is_empty(&self) -> bool {
        self.any.is_empty() && self.none.is_empty()
    }

    /// Whether a subject passes; `matches` says whether one value matches it.
    pub fn holds(&self, mut matches: impl FnMut(&T) -> bool) -> bool {
        (self.any.is_empty() || self.any.iter().any(&mut matches))
            && !self.none.iter().any(&mut matches)
    }
}

/// Who asks: all attributes together.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Source {
    /// Principals, without `spiffe://`.
    pub principals: AnyNone<StringMatch>,
    /// Namespaces.
    pub namespaces: AnyNone<StringMatch>,
    /// Service accounts, in whatever trust domain.
    pub service_accounts: AnyNone<ObjectName>,
    /// Trust domains.
    pub trust_domains: AnyNone<StringMatch>,
    /// Addresses of the direct peer.
    pub ip_blocks: AnyNone<IpBlock>,
}

/// What is asked for: all attributes together.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Operation {
    /// Authorities, compared without regard to case and including the port if there is one.
    pub hosts: AnyNone<StringMatch>,
    /// Original destination ports.
    pub ports: AnyNone<u16>,
    /// Methods.
    pub methods: AnyNone<StringMatch>,
    /// Paths.
    pub paths: AnyNone<PathPattern>,
}

impl Operation {
    /// Whether it has an attribute that only HTTP requests have.
    pub fn asks_http(&self) -> bool {
        !(self.hosts.is_empty() && self.methods.is_empty() && self.paths.is_empty())
    }
}

/// A `when` condition: a key, and values of which any must and none may match.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Condition {
    /// `source.ip`.
    SourceIp(AnyNone<IpBlock>),
    /// `source.namespace`.
    SourceNamespace(AnyNone<StringMatch>),
    /// `source.principal`.
    SourcePrincipal(AnyNone<StringMatch>),
    /// `source.serviceAccount`.
    SourceServiceAccount(AnyNone<ObjectName>),
    /// `source.trustDomain`.
    SourceTrustDomain(AnyNone<StringMatch>),
    /// `waypoint.dev/client.namespace`.
    ClientNamespace(AnyNone<StringMatch>),
    /// `waypoint.dev/client.principal`.
    ClientPrincipal(AnyNone<StringMatch>),
    /// `destination.ip`.
    DestinationIp(AnyNone<IpBlock>),
    /// `destination.port`.
    DestinationPort(AnyNone<u16>),
    /// `request.headers[name]`, the name in lower case.
    RequestHeader(String, AnyNone<StringMatch>),
}

impl Condition {
    /// Whether it is of something that only HTTP requests have.
    pub const fn asks_http(&self) -> bool {
        matches!(self, Self::RequestHeader(..))
    }
}

#[cfg(test)]
mod tests;
