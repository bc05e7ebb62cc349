//! Where a whole connection goes, by the TLSRoutes or TCPRoutes of the Service it is addressed to.
//!
//! Only the most specific kind counts: where there are TLSRoutes, a connection goes by the name of
//! the server that it asks for, and nowhere without one. An exact name comes before a wildcard, a
//! longer wildcard before a shorter one, and among equals the older route. Of TCPRoutes the oldest
//! takes everything. Only the first rule of a route counts, as the Gateway API has no more.
//!
//! **Invariant:** what a choice borrows lives as long as the table.

use std::{collections::HashMap, sync::Arc};

use crate::mesh::{
    object::ObjectName,
    route::{BackendTarget, HttpBackend, HttpRoute, RouteKind},
};

use super::{RuleId, of_clients::OfClients, split::Split};

/// The routes of connections to one port of a Service, compiled.
#[derive(Debug)]
pub struct ConnectionTable(OfClients<ConnectionRules>);

impl ConnectionTable {
    /// Compiles the routes that apply to a port of a Service; `None` when none does.
    pub fn compile(routes: &[Arc<HttpRoute>], service: &ObjectName, port: u16) -> Option<Self> {
        OfClients::compile(routes, (service, port), ConnectionRules::compile).map(Self)
    }

    /// The rules for a client of a namespace, or of none that is known; `None` when there are none,
    /// so that its connections go to the Service itself.
    pub fn rules(&self, namespace: Option<&str>) -> Option<&ConnectionRules> {
        self.0.rules(namespace)
    }

    /// Whether there are routes for the clients of this namespace alone.
    pub fn is_own(&self, namespace: Option<&str>) -> bool {
        self.0.are_own(namespace)
    }
}

/// The rules that decide about the connections of some clients.
#[derive(Debug)]
pub struct ConnectionRules {
    is_by_name: bool,
    exact: HashMap<String, Arc<Rule>>,
    /// By what follows the first label.
    wildcards: HashMap<String, Arc<Rule>>,
    /// For every name that nothing else is for, or whatever is spoken.
    rest: Option<Arc<Rule>>,
}

impl ConnectionRules {
    /// Compiles routes of one kind that are in order.
    fn compile(routes: &[Arc<HttpRoute>]) -> Option<Self> {
        let kind = routes.first()?.kind;
        let mut rules = Self {
            is_by_name: kind == RouteKind::Tls,
            exact: HashMap::new(),
            wildcards: HashMap::new(),
            rest: None,
        };
        for route in routes {
            let rule = Arc::new(Rule::of(route));
            for name in &route.hostnames {
                let (names, name) = match name.strip_prefix("*.") {
                    Some(suffix) => (&mut rules.wildcards, suffix),
                    None => (&mut rules.exact, name.as_str()),
                };
                names.entry(name.to_owned()).or_insert_with(|| Arc::clone(&rule));
            }
            if route.hostnames.is_empty() {
                rules.rest.get_or_insert(rule);
            }
        }
        Some(rules)
    }

    /// Whether it has to be known which server a connection asks for.
    pub fn is_by_name(&self) -> bool {
        self.is_by_name
    }

    /// Where a connection goes that asks for a server of this name. `dice` returns a number below
    /// its argument, each with the same chance.
    pub fn choose(
        &self,
        name: Option<&str>,
        dice: &mut dyn FnMut(u32) -> u32,
    ) -> ConnectionChoice<'_> {
        let rule = match name {
            None if self.is_by_name => None,
            None => self.rest.as_deref(),
            Some(name) => self.named(name),
        };
        rule.map_or(ConnectionChoice::NoMatch, |rule| rule.choose(dice))
    }

    fn named(&self, name: &str) -> Option<&Rule> {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let mut found = self.exact.get(&name);
        let mut rest = name.as_str();
        while let (None, Some((_, suffix))) = (found, rest.split_once('.')) {
            found = self.wildcards.get(suffix);
            rest = suffix;
        }
        found.or(self.rest.as_ref()).map(AsRef::as_ref)
    }
}

/// Where a connection goes.
#[derive(Debug, Eq, PartialEq)]
pub enum ConnectionChoice<'t> {
    /// Nowhere: no route is for the name that it asks for, or it asks for none.
    NoMatch,
    /// Nowhere: the route has no place to send it.
    Unroutable {
        /// The rule that says so.
        rule: &'t RuleId,
        /// Why there is no place.
        reason: &'t str,
    },
    /// To a Service.
    Forward {
        /// The rule that says so.
        rule: &'t RuleId,
        /// The Service.
        service: &'t ObjectName,
        /// The Service's port.
        port: u16,
    },
}

/// What a route does with a connection.
#[derive(Debug)]
struct Rule {
    id: RuleId,
    backends: Vec<HttpBackend>,
    split: Split,
}

impl Rule {
    fn of(route: &HttpRoute) -> Self {
        let first = route.rules.first();
        let backends = first.map(|rule| rule.backends.clone()).unwrap_or_default();
        let weights: Vec<u32> = backends.iter().map(|backend| backend.weight).collect();
        let id = RuleId::new(route, 0, first.and_then(|rule| rule.name.as_deref()));
        Self { id, backends, split: Split::new(&weights) }
    }

    fn choose(&self, dice: &mut dyn FnMut(u32) -> u32) -> ConnectionChoice<'_> {
        let rule = &self.id;
        let backend = self.split.pick(dice).and_then(|index| self.backends.get(index));
        match backend.map(|backend| &backend.target) {
            Some(BackendTarget::Service(service, port)) => {
                ConnectionChoice::Forward { rule, service, port: *port }
            }
            Some(BackendTarget::Invalid(reason)) => ConnectionChoice::Unroutable { rule, reason },
            None => ConnectionChoice::Unroutable { rule, reason: "no backend has a weight" },
        }
    }
}

#[cfg(test)]
mod tests;
