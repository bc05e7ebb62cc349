use std::sync::Arc;

use super::*;
use crate::mesh::{
    object::Version,
    pattern::Regex,
    request::sample::Request,
    route::{
        BackendTarget, HttpBackend, HttpFilter, HttpMatch, HttpRule, PathMatch, ServiceParent,
        ValueMatch, ValuePattern,
    },
};

mod clients;
mod cors;
mod cost;
mod edits;
mod matching;
mod mirrors;
mod oracle;
mod precedence;
mod splitting;

/// A route `default/<name>` of every port of the Service `default/s`.
fn route(name: &str, rules: Vec<HttpRule>) -> HttpRoute {
    HttpRoute {
        kind: RouteKind::Http,
        name: ObjectName::new("default", name),
        version: Version::default(),
        created: None,
        parents: vec![ServiceParent::new(service(), None)],
        hostnames: Vec::new(),
        rules,
    }
}

fn service() -> ObjectName {
    ObjectName::new("default", "s")
}

/// A rule that sends what matches to a Service.
fn rule(matches: Vec<HttpMatch>, to: &str) -> HttpRule {
    HttpRule { matches, backends: vec![backend(to, 1)], ..HttpRule::default() }
}

fn backend(to: &str, weight: u32) -> HttpBackend {
    let target = BackendTarget::Service(ObjectName::new("default", to), 8080);
    HttpBackend { weight, target, filters: vec![] }
}

fn exact(path: &str) -> HttpMatch {
    HttpMatch { path: PathMatch::Exact(path.into()), ..HttpMatch::default() }
}

fn prefix(path: &str) -> HttpMatch {
    HttpMatch { path: PathMatch::Prefix(path.into()), ..HttpMatch::default() }
}

fn expression(path: &str) -> HttpMatch {
    HttpMatch { path: PathMatch::Regex(Regex::new(path).unwrap()), ..HttpMatch::default() }
}

fn value(name: &str, exactly: &str) -> ValueMatch {
    ValueMatch { name: name.into(), value: ValuePattern::Exact(exactly.into()) }
}

fn value_like(name: &str, expression: &str) -> ValueMatch {
    ValueMatch { name: name.into(), value: ValuePattern::Regex(Regex::new(expression).unwrap()) }
}

/// The table of port 80 of `default/s`.
fn table(routes: impl IntoIterator<Item = HttpRoute>) -> Table {
    compile(routes, 80).unwrap()
}

fn compile(routes: impl IntoIterator<Item = HttpRoute>, port: u16) -> Option<Table> {
    let routes: Vec<_> = routes.into_iter().map(Arc::new).collect();
    Table::compile(&routes, &service(), port)
}

/// The table of one route with one rule.
fn table_of(rule: HttpRule) -> Table {
    table([route("r", vec![rule])])
}

fn choose<'t>(table: &'t Table, request: &Request) -> Choice<'t> {
    table.rules(None).unwrap().choose(request, &mut |_| 0)
}

/// The name of the Service that the request goes to.
fn destination<'t>(table: &'t Table, request: &Request) -> Option<&'t str> {
    match choose(table, request) {
        Choice::NoMatch => None,
        Choice::Forward { service, .. } => Some(&service.name),
        other => panic!("{other:?}"),
    }
}

fn url(target: &str) -> Request {
    Request::get(&format!("http://s{target}"))
}
