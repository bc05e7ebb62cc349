//! TrafficPolicies: how requests are balanced, limited, repeated and cut off.
//!
//! They are kept as they were meant; `balance` and the proxy go by them.
//!
//! **Invariant:** at most one policy is attached to a target; which one was decided in translation.

mod endpoints;
mod requests;

use super::{
    object::{ObjectName, Version},
    route::RouteKind,
};

pub use endpoints::{
    Algorithm, CircuitBreaker, EndpointRules, HashKey, LoadBalancing, OutlierDetection, SlowStart,
    SuccessRate,
};
pub use requests::{
    Abort, AbortStatus, Backoff, Budget, Delay, Fault, Hedging, Percentage, RateLimit,
    RateLimitKey, RequestRules, Retry, RetryOn, Timeouts,
};

/// A TrafficPolicy that is attached to something.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TrafficPolicy {
    /// Its name.
    pub name: ObjectName,
    /// Which version of it this is.
    pub version: Version,
    /// What it is attached to.
    pub targets: Vec<TrafficTarget>,
    /// What holds for endpoints.
    pub endpoints: EndpointRules,
    /// What holds for requests.
    pub requests: RequestRules,
}

/// What a TrafficPolicy is attached to.
#[derive(Clone, Debug, Eq, PartialEq, Hash, Ord, PartialOrd)]
pub enum TrafficTarget {
    /// A rule of a route, by the rule's name.
    Rule(RouteKind, ObjectName, String),
    /// A route.
    Route(RouteKind, ObjectName),
    /// A port of a Service, or of a host of a ServiceEntry.
    Port(ObjectName, u16),
    /// A Service, or a host of a ServiceEntry.
    Service(ObjectName),
    /// A waypoint, for all that it serves.
    Gateway(ObjectName),
}

impl TrafficTarget {
    /// The kind of the route, where it is one or one of its rules.
    pub const fn route_kind(&self) -> Option<RouteKind> {
        match self {
            Self::Rule(kind, ..) | Self::Route(kind, _) => Some(*kind),
            Self::Port(..) | Self::Service(_) | Self::Gateway(_) => None,
        }
    }
}

/// Where a request was addressed to, and what its routes chose.
#[derive(Clone, Copy, Debug)]
pub struct Addressed<'a> {
    /// The Service.
    pub service: &'a ObjectName,
    /// Its port.
    pub port: u16,
    /// The waypoint that serves it, if there is one.
    pub waypoint: Option<&'a ObjectName>,
}

impl Addressed<'_> {
    /// What policies may be attached to, the most specific first; with the rule that was chosen,
    /// if one was: its route, and its name.
    pub fn targets(
        &self,
        rule: Option<(RouteKind, &ObjectName, Option<&str>)>,
    ) -> impl Iterator<Item = TrafficTarget> {
        let of_rule = rule.and_then(|(kind, route, name)| {
            Some(TrafficTarget::Rule(kind, route.clone(), name?.to_owned()))
        });
        let of_route = rule.map(|(kind, route, _)| TrafficTarget::Route(kind, route.clone()));
        let port = TrafficTarget::Port(self.service.clone(), self.port);
        let service = TrafficTarget::Service(self.service.clone());
        let gateway = self.waypoint.cloned().map(TrafficTarget::Gateway);
        of_rule.into_iter().chain(of_route).chain([port, service]).chain(gateway)
    }
}
