//! What is to be said of every object, beside what it says now.
//!
//! It is a pure function of the mesh, its Report, and what waypoints say that they apply.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde_json::Value;

use crate::{
    mesh::{
        object::{ObjectName, ObjectRef},
        route::RouteKind,
    },
    sync::State,
};

use super::{
    applied::Applied,
    current,
    entry::{Entry, say_the_same},
    kind::Kind,
    programmed,
};

/// What is to be said of one object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Wanted {
    pub(super) kind: Kind,
    pub(super) object: ObjectRef,
    /// Tells the object from a later one of its name.
    pub(super) uid: Option<String>,
    /// What it is to say.
    pub(super) entries: Vec<Entry>,
    /// What it says.
    pub(super) current: Vec<Entry>,
}

impl Wanted {
    /// Whether there is anything to write.
    pub(super) fn differs(&self) -> bool {
        !say_the_same(&self.entries, &self.current)
    }
}

/// All objects of which there is something to say, or that say something.
pub(super) fn wanted<'s>(
    state: &'s State,
    applied: &'s Applied,
) -> impl Iterator<Item = Wanted> + 's {
    let objects = &state.objects;
    let services = objects.services.iter().map(move |(name, service)| {
        let current = current::of(Kind::Service, service.status.as_ref());
        of_object(state, Kind::Service, name, &service.metadata, current)
    });
    let routes = objects.http_routes.iter().map(move |(name, route)| {
        let named = (name, &route.metadata);
        of_route(state, applied, RouteKind::Http, named, route.status.as_ref())
    });
    let grpc_routes = objects.grpc_routes.iter().map(move |(name, route)| {
        let named = (name, &route.metadata);
        of_route(state, applied, RouteKind::Grpc, named, route.status.as_ref())
    });
    let tls_routes = objects.tls_routes.iter().map(move |(name, route)| {
        let named = (name, &route.metadata);
        of_route(state, applied, RouteKind::Tls, named, route.status.as_ref())
    });
    let tcp_routes = objects.tcp_routes.iter().map(move |(name, route)| {
        let named = (name, &route.metadata);
        of_route(state, applied, RouteKind::Tcp, named, route.status.as_ref())
    });
    let grpc_routes = grpc_routes.chain(tls_routes).chain(tcp_routes);
    let policies = objects.policies.iter().filter_map(move |(name, policy)| {
        let (metadata, current) = current::of_policy(policy)?;
        Some(of_object(state, Kind::AuthorizationPolicy, name, metadata, current))
    });
    let traffic_policies = objects.traffic_policies.iter().map(move |(name, policy)| {
        let current = current::of(Kind::TrafficPolicy, policy.status.as_ref());
        of_object(state, Kind::TrafficPolicy, name, &policy.metadata, current)
    });
    let unread = objects.unread_traffic_policies.iter().map(move |(name, policy)| {
        let current = current::of_status(Kind::TrafficPolicy, &policy.status);
        of_object(state, Kind::TrafficPolicy, name, &policy.metadata, current)
    });
    let policies = policies.chain(traffic_policies).chain(unread);
    let all = services.chain(entries(state)).chain(routes).chain(grpc_routes).chain(policies);
    all.filter(|one| !(one.entries.is_empty() && one.current.is_empty()))
}

/// ServiceEntries and WorkloadEntries.
fn entries(state: &State) -> impl Iterator<Item = Wanted> {
    let objects = &state.objects;
    let services = objects.service_entries.iter().map(move |(name, entry)| {
        let listed = entry.status.as_ref().map(|status| &status.conditions);
        let current = current::of_list(Kind::ServiceEntry, listed.unwrap_or(&Value::Null));
        of_object(state, Kind::ServiceEntry, name, &entry.metadata, current)
    });
    let workloads = objects.workload_entries.iter().map(move |(name, entry)| {
        let current = current::of(Kind::WorkloadEntry, entry.status.as_ref());
        of_object(state, Kind::WorkloadEntry, name, &entry.metadata, current)
    });
    services.chain(workloads)
}

/// A route: what is said of any object, and whether its waypoints go by it.
fn of_route(
    state: &State,
    applied: &Applied,
    kind: RouteKind,
    (name, metadata): (&ObjectName, &ObjectMeta),
    status: Option<&impl Serialize>,
) -> Wanted {
    let current = current::of(Kind::Route(kind), status);
    let mut wanted = of_object(state, Kind::Route(kind), name, metadata, current);
    let conditions = programmed::conditions(state, applied, kind, &wanted.object);
    let entries = conditions.iter().map(|one| Entry::new(one, metadata.generation));
    wanted.entries.extend(entries);
    wanted
}

fn of_object(
    state: &State,
    kind: Kind,
    name: &ObjectName,
    metadata: &ObjectMeta,
    current: Vec<Entry>,
) -> Wanted {
    let object = ObjectRef::new(kind.as_str(), name.clone());
    let conditions = state.report.conditions_of(&object).iter();
    let entries = conditions.map(|one| Entry::new(one, metadata.generation)).collect();
    Wanted { kind, object, uid: metadata.uid.clone(), entries, current }
}

#[cfg(test)]
mod tests;
