//! TLSRoutes and TCPRoutes (Gateway API `apis/v1/tlsroute_types.go`, `tcproute_types.go`).
//!
//! What they are attached to and what their backends lead to is written as in HTTPRoutes, so they
//! are read again as those.

use std::{borrow::Cow, collections::BTreeMap, net::IpAddr};

use gateway_api::experimental::{
    httproutes::{HttpRoute, HttpRouteRules, HttpRouteSpec},
    tcproutes::TcpRoute,
    tlsroutes::TlsRoute,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;

use crate::{
    mesh::{
        object::{ObjectName, ObjectRef},
        report::Report,
        route::RouteKind,
    },
    sync::finding::{error, notice},
};

use super::{
    again::again,
    invalid::Invalid,
    route_rivals::Rivals,
    routes::{self, Routes, Services},
    scene::Scene,
};

/// The TLSRoutes that are attached to a Service; `rivals` are routes that come before them.
pub(super) fn translate_tls(
    (scene, services): (&Scene<'_>, &Services),
    rivals: &mut Rivals<'_>,
    report: &mut Report,
) -> Routes {
    let (mut declared, mut names_of) = (Vec::new(), BTreeMap::new());
    for (name, route) in &scene.objects.tls_routes {
        // Without its names it would be for every name; admission has said what is wrong.
        let Ok(names) = hostnames(route) else { continue };
        names_of.insert(name.clone(), names);
        let (read, wrong) = tls(route);
        tell(&ObjectRef::new(RouteKind::Tls.as_str(), name.clone()), &read, wrong, report);
        declared.push((name, Cow::Owned(read)));
    }
    let mut routes = routes::of_kind(RouteKind::Tls, (scene, services), declared, rivals, report);
    for (name, route) in &mut routes {
        if let Some(names) = names_of.get(name) {
            route.hostnames.clone_from(names);
        }
    }
    routes
}

/// The TCPRoutes that are attached to a Service. Of those of one port only the oldest counts.
pub(super) fn translate_tcp(
    (scene, services): (&Scene<'_>, &Services),
    rivals: &mut Rivals<'_>,
    report: &mut Report,
) -> Routes {
    let mut declared = Vec::new();
    for (name, route) in &scene.objects.tcp_routes {
        let (read, wrong) = tcp(route);
        tell(&ObjectRef::new(RouteKind::Tcp.as_str(), name.clone()), &read, wrong, report);
        declared.push((name, Cow::Owned(read)));
    }
    declared.sort_by_cached_key(|(name, route)| age(name, route));
    routes::of_kind(RouteKind::Tcp, (scene, services), declared, rivals, report)
}

/// What makes a route older than another one.
fn age(name: &ObjectName, route: &HttpRoute) -> (bool, Option<i64>, String) {
    let created = route.metadata.creation_timestamp.as_ref().map(|time| time.0.as_second());
    (created.is_none(), created, name.to_string())
}

/// Tells what of a route is not followed.
fn tell(object: &ObjectRef, read: &HttpRoute, wrong: Vec<Invalid>, report: &mut Report) {
    for cause in wrong {
        report.add(object.clone(), error("Invalid", cause.to_string()));
    }
    if read.spec.rules.as_ref().is_some_and(|rules| rules.len() > 1) {
        let message = "no rule matches more than the first does; the others are ignored";
        report.add(object.clone(), notice("RulesIgnored", message));
    }
}

/// The route as an HTTPRoute that matches everything, and what is not understood of it.
pub(super) fn tls(declared: &TlsRoute) -> (HttpRoute, Vec<Invalid>) {
    let spec = &declared.spec;
    read(&declared.metadata, spec.parent_refs.as_deref(), &spec.rules)
}

/// The same of a TCPRoute.
pub(super) fn tcp(declared: &TcpRoute) -> (HttpRoute, Vec<Invalid>) {
    let spec = &declared.spec;
    read(&declared.metadata, spec.parent_refs.as_deref(), &spec.rules)
}

fn read(
    metadata: &ObjectMeta,
    parents: Option<&[impl Serialize]>,
    rules: &[impl Serialize],
) -> (HttpRoute, Vec<Invalid>) {
    let mut wrong = Vec::new();
    let parents = parents.into_iter().flatten().map(again);
    let parent_refs = parents.collect::<Result<_, _>>().map_err(|cause| wrong.push(cause)).ok();
    let rules = rules.iter().enumerate().map(|(index, declared)| rule(index, declared));
    let rules = rules.filter_map(|rule| rule.map_err(|cause| wrong.push(cause)).ok()).collect();
    let spec = HttpRouteSpec { parent_refs, rules: Some(rules), ..HttpRouteSpec::default() };
    (HttpRoute { metadata: metadata.clone(), spec, status: None }, wrong)
}

/// A rule; errors name its place in the route.
pub(super) fn rule(index: usize, declared: &impl Serialize) -> Result<HttpRouteRules, Invalid> {
    again(declared).map_err(|cause| Invalid::field(&format!("spec.rules[{index}]"), cause))
}

/// The names of servers that a route is for, in lower case.
pub(super) fn hostnames(declared: &TlsRoute) -> Result<Vec<String>, Invalid> {
    let names = declared.spec.hostnames.iter();
    names.map(|name| hostname(name).map_err(|cause| Invalid::field(PLACE, cause))).collect()
}

fn hostname(name: &str) -> Result<String, Invalid> {
    let rest = name.strip_prefix("*.").unwrap_or(name);
    let is_label = |label: &str| {
        let outer = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let ends = [label.bytes().next(), label.bytes().last()];
        label.len() <= 63 && label.bytes().all(inner) && ends.into_iter().all(outer)
    };
    if name.len() > 253 || !rest.split('.').all(is_label) || rest.parse::<IpAddr>().is_ok() {
        let message = format!("{name:?} is neither the name of a server nor *. before one");
        return Err(Invalid::new(message));
    }
    Ok(name.to_ascii_lowercase())
}

const PLACE: &str = "spec.hostnames";

#[cfg(test)]
mod tests;
