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
//! A CONNECT has no path. It goes only where a match asks for its method, and for no path but `/`.
//!
//! Routes of the Service's own namespace are for all clients. A namespace that has routes of its
//! own for somebody else's Service goes by these alone (GEP-1294, "Multiple routes for a Service").
//!
//! **Invariant:** what a choice borrows lives as long as the table, not as long as the request.
//! **Invariant:** paths are matched as given; the caller normalises them first (`mesh::path`).

use std::{borrow::Cow, sync::Arc};

use crate::mesh::{
    object::ObjectName,
    request::{CONNECT, RequestHead},
    route::{Conduct, ExternalAuth, HeaderEdit, HttpRoute, Mirror, PathMatch, RouteKind},
};

pub use self::connection::{ConnectionChoice, ConnectionRules, ConnectionTable};

use self::{
    candidate::Candidate,
    index::{Builder, Found, Index},
    of_clients::OfClients,
    rule::Rule,
};

mod bucket;
mod candidate;
mod connection;
mod cors;
mod index;
mod of_clients;
mod path_edit;
mod redirect;
mod rule;
mod split;
mod trie;

/// The routes of one port of a Service, compiled.
#[derive(Debug)]
pub struct Table(OfClients<Rules>);

impl Table {
    /// Compiles the routes that apply to a port of a Service; `None` when none does, so that
    /// requests go to the Service itself.
    pub fn compile(routes: &[Arc<HttpRoute>], service: &ObjectName, port: u16) -> Option<Self> {
        OfClients::compile(routes, (service, port), |routes| Rules::compile(routes, port)).map(Self)
    }

    /// The rules for a client of a namespace, or of none that is known; `None` when there are none,
    /// so that its requests go to the Service itself.
    pub fn rules(&self, namespace: Option<&str>) -> Option<&Rules> {
        self.0.rules(namespace)
    }

    /// Whether there are routes for the clients of this namespace alone.
    pub fn is_own(&self, namespace: Option<&str>) -> bool {
        self.0.are_own(namespace)
    }
}

/// The rules that decide about the requests of some clients.
#[derive(Debug)]
pub struct Rules {
    port: u16,
    index: Index,
    /// What decides about CONNECT.
    connects: Index,
}

impl Rules {
    /// Compiles routes that are in order.
    fn compile(routes: &[Arc<HttpRoute>], port: u16) -> Option<Self> {
        if routes.is_empty() {
            return None;
        }
        let (mut builder, mut connects) = (Builder::default(), Builder::default());
        for route in routes {
            for (position, rule) in route.rules.iter().enumerate() {
                let compiled = Arc::new(Rule::new(route, position, rule));
                for (path, candidate) in Candidate::of(rule, &compiled) {
                    if !candidate.connects() {
                        builder.insert(path, candidate);
                    } else if path == PathMatch::default() {
                        connects.insert(path, candidate);
                    }
                }
            }
        }
        Some(Self { port, index: builder.build(), connects: connects.build() })
    }

    /// The rule that decides about a request; `None` when none matches, which is answered with 404.
    pub fn find(&self, head: &dyn RequestHead) -> Option<Decided<'_>> {
        let index = if head.method() == CONNECT { &self.connects } else { &self.index };
        index.find(head).map(|found| Decided { found, port: self.port })
    }

    /// Where the request goes. `dice` returns a number below its argument, each with the same
    /// chance.
    pub fn choose(&self, head: &dyn RequestHead, dice: &mut dyn FnMut(u32) -> u32) -> Choice<'_> {
        self.find(head).map_or(Choice::NoMatch, |rule| rule.choose(head, &|_, _| false, dice))
    }
}

/// The rule that decides about a request.
pub struct Decided<'t> {
    found: Found<'t>,
    port: u16,
}

impl<'t> Decided<'t> {
    /// How its requests are brought to their backends.
    pub fn conduct(&self) -> &'t Conduct {
        self.found.rule.conduct()
    }

    /// Who is asked first whether its requests may pass; a preflight need not.
    pub fn auth(&self) -> Option<&'t ExternalAuth> {
        self.found.rule.auth()
    }

    /// How many bytes of the path a prefix matched, if that is how the rule was found.
    pub fn prefix_len(&self) -> Option<usize> {
        self.found.prefix_len
    }

    /// Where the request goes: of the rule's backends to the one that is preferred, as the session
    /// is there that it belongs to, else to one by weight.
    pub fn choose(
        &self,
        head: &dyn RequestHead,
        prefers: &dyn Fn(&ObjectName, u16) -> bool,
        dice: &mut dyn FnMut(u32) -> u32,
    ) -> Choice<'t> {
        let asked = rule::Asked { head, prefix_len: self.found.prefix_len, port: self.port };
        self.found.rule.choose(&asked, prefers, dice)
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
    /// Back to the client, who asks what it may ask from another origin; answered with 204.
    Preflight {
        /// The rule that matched.
        rule: &'t RuleId,
        /// What is said to that.
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
        /// Where copies of it go.
        mirrors: Vec<&'t Mirror>,
    },
}

/// What is done to a request and its response; header edits of the rule come before the backend's.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Edits<'t> {
    /// Header edits of the request.
    pub request: Vec<&'t HeaderEdit>,
    /// Header edits of the response.
    pub response: Vec<Cow<'t, HeaderEdit>>,
    /// The new authority, if it is rewritten.
    pub authority: Option<&'t str>,
    /// The new path and query, if the path is rewritten.
    pub path_and_query: Option<String>,
}

/// Which rule of which route.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RuleId {
    /// As what the route was written.
    pub kind: RouteKind,
    /// The route.
    pub route: ObjectName,
    /// The rule's position in the route.
    pub index: usize,
    /// The rule's name, if it has one.
    pub name: Option<String>,
    /// Its name, or `namespace.name.index`, as Istio calls routes in access logs.
    pub label: Arc<str>,
}

impl RuleId {
    /// The rule at a position of a route.
    fn new(route: &HttpRoute, index: usize, name: Option<&str>) -> Self {
        let ObjectName { namespace, name: of_route } = &route.name;
        let label = || format!("{namespace}.{of_route}.{index}").into();
        Self {
            kind: route.kind,
            route: route.name.clone(),
            index,
            name: name.map(str::to_owned),
            label: name.map_or_else(label, Arc::from),
        }
    }
}

/// The routes of a port of a Service that are for the clients of a namespace, or for all, in the
/// order that decides between equal matches: those of the most specific kind that there is
/// (GEP-1294).
pub fn applying(
    routes: &[Arc<HttpRoute>],
    (service, port): (&ObjectName, u16),
    clients: Option<&str>,
) -> Vec<Arc<HttpRoute>> {
    let mut routes = routes.to_vec();
    routes.retain(|route| route.clients(service, port) == Some(clients));
    let kind = routes.iter().map(|route| route.kind).max();
    routes.retain(|route| Some(route.kind) == kind);
    routes.sort_by_cached_key(|route| {
        (route.created.is_none(), route.created, route.name.to_string())
    });
    routes
}

#[cfg(test)]
mod tests;
