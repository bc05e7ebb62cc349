//! Where a request goes, by the HTTPRoutes or GRPCRoutes of the Service it is addressed to.
//!
//! It sends nothing: the proxy acts on the [`Choice`]. Chance is passed in.
//!
//! Every route that applies to the Service and port takes part, whether it names the port or not,
//! unless it is an HTTPRoute and there are GRPCRoutes, and the best match of all of them decides
//! (Gateway API `apis/v1/httproute_types.go`, HTTPRouteRule.matches):
//!
//! 1. `Exact` path, then the longest `PathPrefix`, then `RegularExpression`, the longest first
//!    (the Gateway API leaves expressions open; this is Istio's order);
//! 2. with a method before without, then more headers, then more query parameters;
//! 3. the older route, one of known age before one of unknown, then `namespace/name` in the order
//!    of the alphabet, then the first rule, then the first match.
//!
//! **Invariant:** what a choice borrows lives as long as the table, not as long as the request.
//! **Invariant:** paths are matched as given; the caller normalises them first (`mesh::path`).

use std::{fmt, sync::Arc};

use crate::mesh::{
    object::ObjectName,
    request::RequestHead,
    route::{HeaderEdit, HttpRoute},
};

use self::{candidate::Candidate, index::Index, rule::Rule};

mod candidate;
mod index;
mod path_edit;
mod redirect;
mod rule;
mod split;
mod trie;

/// The routes of one port of a Service, compiled.
#[derive(Debug)]
pub struct Table {
    port: u16,
    index: Index,
}

impl Table {
    /// Compiles the routes that apply to a port of a Service; `None` when none does, so that
    /// requests go to the Service itself.
    pub fn compile(routes: &[Arc<HttpRoute>], service: &ObjectName, port: u16) -> Option<Self> {
        let routes = applying(routes, service, port);
        if routes.is_empty() {
            return None;
        }
        let mut index = Index::default();
        for route in &routes {
            for (position, rule) in route.rules.iter().enumerate() {
                let compiled = Arc::new(Rule::new(route, position, rule));
                for (path, candidate) in Candidate::of(rule, &compiled) {
                    index.insert(path, candidate);
                }
            }
        }
        index.sort();
        Some(Self { port, index })
    }

    /// Where the request goes. `dice` returns a number below its argument, each with the same
    /// chance.
    pub fn choose(&self, head: &dyn RequestHead, dice: &mut dyn FnMut(u32) -> u32) -> Choice<'_> {
        match self.index.find(head) {
            Some(found) => found.rule.choose(head, found.prefix_len, self.port, dice),
            None => Choice::NoMatch,
        }
    }
}

/// Where a request goes.
#[derive(Debug, Eq, PartialEq)]
pub enum Choice<'t> {
    /// Nowhere: no rule matches, which is answered with 404.
    NoMatch,
    /// Nowhere: the rule that matches has no place to send it, which is answered with 500.
    Unroutable {
        /// The rule that matched.
        rule: &'t RuleId,
        /// Why there is no place.
        reason: String,
    },
    /// Back to the client.
    Redirect {
        /// The rule that matched.
        rule: &'t RuleId,
        /// The status code.
        status: u16,
        /// The field `Location`.
        location: String,
        /// What is done to the response.
        edits: Edits<'t>,
    },
    /// To a Service.
    Forward {
        /// The rule that matched.
        rule: &'t RuleId,
        /// The Service.
        service: &'t ObjectName,
        /// The Service's port.
        port: u16,
        /// What is done to the request and the response.
        edits: Edits<'t>,
    },
}

/// What is done to a request and its response; header edits of the rule come before the backend's.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Edits<'t> {
    /// Header edits of the request.
    pub request: Vec<&'t HeaderEdit>,
    /// Header edits of the response.
    pub response: Vec<&'t HeaderEdit>,
    /// The new authority, if it is rewritten.
    pub authority: Option<&'t str>,
    /// The new path and query, if the path is rewritten.
    pub path_and_query: Option<String>,
}

/// Which rule of which route.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RuleId {
    /// The route.
    pub route: ObjectName,
    /// The rule's position in the route.
    pub index: usize,
    /// The rule's name, if it has one.
    pub name: Option<String>,
}

/// The rule's name, or `namespace.name.index`, as Istio calls routes in access logs.
impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => f.write_str(name),
            None => write!(f, "{}.{}.{}", self.route.namespace, self.route.name, self.index),
        }
    }
}

/// The routes that apply to a port of a Service, in the order that decides between equal matches:
/// GRPCRoutes if any of them is (GEP-1294).
pub fn applying(routes: &[Arc<HttpRoute>], service: &ObjectName, port: u16) -> Vec<Arc<HttpRoute>> {
    let mut routes = routes.to_vec();
    routes.retain(|route| route.applies(service, port));
    let kind = routes.iter().map(|route| route.kind).max();
    routes.retain(|route| Some(route.kind) == kind);
    routes.sort_by_cached_key(|route| {
        (route.created.is_none(), route.created, route.name.to_string())
    });
    routes
}

#[cfg(test)]
mod tests;
