//! From objects to the mesh: what they mean together, and what there is to say of them.
//!
//! It does no I/O; what a single object must fulfil was checked when it was admitted.

mod admissions;
mod again;
pub(super) mod before;
mod bindings;
pub(super) mod check;
mod closed;
mod conduct;
mod connection_routes;
mod distribution;
mod durations;
mod endpoints;
mod gateways;
mod grants;
mod grpc_rules;
mod invalid;
mod listeners;
mod meta;
mod nodes;
mod operations;
mod peer_authentications;
mod placements;
mod pod_policies;
mod pods;
mod policies;
mod policy_targets;
mod ports;
mod remarks;
mod route_auth;
mod route_backends;
mod route_conditions;
mod route_cors;
mod route_filters;
mod route_gateways;
mod route_matches;
mod route_parents;
mod route_rivals;
mod routes;
mod rules;
mod scene;
mod service_endpoints;
mod service_entries;
mod service_hosts;
mod services;
mod sources;
mod traffic_policies;
mod traffic_rules;
mod workload_entries;

use std::{collections::BTreeMap, sync::Arc};

use crate::mesh::{
    object::ObjectName,
    report::Report,
    route::RouteKind,
    snapshot::{Contents, Settings, Snapshot},
};

use super::{Served, objects::Objects};
use before::{Before, Said};
use endpoints::Sources;
use route_rivals::Rivals;
use routes::{Routes, Services};
use scene::Scene;

/// Translates objects; `report` holds what their source had to say of them already.
pub fn translate(
    objects: &Objects,
    settings: &Settings,
    served: Served,
    report: Report,
) -> (Snapshot, Report) {
    let (snapshot, report, _) = anew(objects, (settings, served), None, report);
    (snapshot, report)
}

/// Translates objects in the same way, and gives the same; what did not change since the last
/// translation is taken from there. That is replaced by this one.
pub(super) fn translate_after(
    before: &mut Option<Before>,
    objects: &Arc<Objects>,
    given: (&Settings, Served),
    report: Report,
) -> (Arc<Snapshot>, Report) {
    let (snapshot, report, pods) = anew(objects, given, before.as_ref(), report);
    // One that says the same is the same, so that it is held but once.
    let same = before.take().map(|before| before.snapshot).filter(|same| **same == snapshot);
    let snapshot = same.unwrap_or_else(|| Arc::new(snapshot));
    let objects = Arc::clone(objects);
    *before = Some(Before { objects, snapshot: Arc::clone(&snapshot), pods });
    (snapshot, report)
}

fn anew(
    objects: &Objects,
    (settings, served): (&Settings, Served),
    before: Option<&Before>,
    mut report: Report,
) -> (Snapshot, Report, Said) {
    let scene = Scene::new(objects, settings, served, &mut report);
    let nodes = nodes::translate(objects);
    let (mut workloads, said) = pods::translate(&scene, before, &mut report);
    workload_entries::translate(&scene, &mut workloads, &mut report);
    let sources = Sources::new(objects, &workloads, &mut report);
    let mut services = services::translate(&scene, &sources, &mut report);
    service_entries::translate(&scene, &sources, &mut services, &mut report);
    let Routed { routes, grpc_routes, tls_routes, tcp_routes } =
        routed(&scene, &services, &mut report);
    let policies = policies::translate(&scene, &services, &mut report);
    let traffic_policies = {
        let routes = |kind| match kind {
            RouteKind::Http => &routes,
            RouteKind::Grpc => &grpc_routes,
            RouteKind::Tls => &tls_routes,
            RouteKind::Tcp => &tcp_routes,
        };
        let known = traffic_policies::Known { scene: &scene, services: &services, routes: &routes };
        traffic_policies::translate(&known, &mut report)
    };
    peer_authentications::apply(&scene, &mut workloads, &mut report);
    admissions::apply(&scene, &services, &mut workloads, &mut report);
    closed::apply(&scene, &policies, &mut services, &mut workloads, &mut report);
    let snapshot = Snapshot::new(Contents {
        settings: settings.clone(),
        namespaces: scene.namespaces,
        services: share(services),
        workloads,
        nodes: share(nodes),
        waypoints: scene.waypoints,
        routes: share(routes),
        grpc_routes: share(grpc_routes),
        tls_routes: share(tls_routes),
        tcp_routes: share(tcp_routes),
        policies: share(policies),
        traffic_policies: share(traffic_policies),
    });
    (snapshot, report, said)
}

/// Routes of every kind.
struct Routed {
    routes: Routes,
    grpc_routes: Routes,
    tls_routes: Routes,
    tcp_routes: Routes,
}

/// Routes, the most specific kind first, as each takes ports from the ones behind it.
fn routed(scene: &Scene<'_>, services: &Services, report: &mut Report) -> Routed {
    let (mut rivals, known) = (Rivals::new(services), (scene, services));
    let grpc_routes = routes::translate_grpc(known, &mut rivals, report);
    let routes = routes::translate(known, (&grpc_routes, &mut rivals), report);
    let tls_routes = connection_routes::translate_tls(known, &mut rivals, report);
    let tcp_routes = connection_routes::translate_tcp(known, &mut rivals, report);
    Routed { routes, grpc_routes, tls_routes, tcp_routes }
}

/// Makes values shareable.
fn share<T>(values: BTreeMap<ObjectName, T>) -> BTreeMap<ObjectName, Arc<T>> {
    values.into_iter().map(|(name, value)| (name, Arc::new(value))).collect()
}

#[cfg(test)]
mod tests;
