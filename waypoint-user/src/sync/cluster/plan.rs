//! What has to be read of a cluster, for a scope and for what was read so far.
//!
//! The plan grows with what objects ask for: a first reading says which selections are missing, and
//! nothing is published before they are there. It reads nothing itself.
//!
//! What scopes leave out, and why no decision misses it:
//! - A node's agent captures connections to Services and to workloads that have a waypoint, hands
//!   them to waypoints, and takes what arrives for its own pods. Of pods it reads its own node's,
//!   those of waypoints, those in the node's network anywhere (their addresses are never captured)
//!   and those that may have a waypoint of their own: by their own label or their namespace's.
//!   Other pods are endpoints, which EndpointSlices name. They count where an agent chooses an
//!   endpoint itself: where everything is to travel by mutual TLS, where a waypoint runs on its
//!   clients' nodes, and where a waypoint may be passed by while it is missing; and where a
//!   ServiceEntry has a range of addresses, in which every pod keeps its own; then more is read.
//!   Telemetry of an agent does not name the pods that it does not read.
//! - The pods of a waypoint take what is addressed to the Services and workloads that are bound to
//!   it, and dial those, or what their routes name. Of EndpointSlices they read those of the
//!   namespaces of these Services, of their routes and of what grants let those refer to. All pods
//!   are read: any may be a client, and policies and telemetry tell clients apart.
//!
//! **Invariant:** a plan depends only on its arguments.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use crate::{
    mesh::{
        binding::{Binding, FailMode},
        label::{FOR_SERVICE_ACCOUNT, GATEWAY_NAME, Labels, SERVICE_NAME, USE_WAYPOINT},
        object::ObjectName,
        service::{Distribution, Service},
        snapshot::{CaptureMode, Snapshot},
        waypoint::Placement,
    },
    select::{Accounts, Mesh},
    sync::objects::Objects,
};

use super::{Scope, kinds::KINDS, selection::Selection};

/// What has to be read before anything else is known.
pub(super) fn first(scope: &Scope) -> BTreeSet<Selection> {
    let (objects, snapshot) = (Objects::default(), Snapshot::default());
    wanted(scope, &objects, &snapshot)
}

/// What has to be read, as far as what was read tells.
pub(super) fn wanted(scope: &Scope, objects: &Objects, snapshot: &Snapshot) -> BTreeSet<Selection> {
    let parts = match scope {
        Scope::Node(node) if !needs_every_pod(objects, snapshot) => {
            Some((POD, pods_of_node(node, objects, snapshot)))
        }
        Scope::Waypoint(name) if !has_account_waypoint(objects) => {
            Some((ENDPOINT_SLICE, slices_of_waypoint(name, objects, snapshot)))
        }
        _ => None,
    };
    // Every part is a connection to the server.
    let parts = parts.filter(|(_, parts)| parts.len() <= PARTS_MAX);
    let left_out = parts.as_ref().map_or("", |(kind, _)| kind);
    let whole = KINDS.iter().filter(|kind| kind.name != left_out).map(Selection::all);
    whole.chain(parts.into_iter().flat_map(|(_, parts)| parts)).collect()
}

/// Whether an agent chooses among all endpoints itself.
fn needs_every_pod(objects: &Objects, snapshot: &Snapshot) -> bool {
    let mut waypoints = snapshot.waypoints().values();
    snapshot.settings().capture == CaptureMode::Mesh
        || snapshot.ranges().next().is_some()
        || waypoints.any(|waypoint| !matches!(waypoint.placement, Placement::Pods(_)))
        || has_account_waypoint(objects)
        || selects_pods(objects)
}

/// Whether pods are endpoints of a ServiceEntry, which no EndpointSlice tells.
fn selects_pods(objects: &Objects) -> bool {
    objects.service_entries.values().any(|entry| entry.spec.workload_selector.is_some())
}

/// Whether a Gateway takes what is addressed to the pods of a service account, so that a Service
/// is bound by what runs behind it.
fn has_account_waypoint(objects: &Objects) -> bool {
    let mut annotations =
        objects.gateways.values().filter_map(|gateway| gateway.metadata.annotations.as_ref());
    annotations.any(|annotations| annotations.contains_key(FOR_SERVICE_ACCOUNT))
}

/// The pods that an agent has to know.
fn pods_of_node(node: &str, objects: &Objects, snapshot: &Snapshot) -> Vec<Selection> {
    let pods = || Selection::all_of(POD);
    let with_label =
        |label: &str| pods().map(|pods| Selection { labels: Some(label.to_owned()), ..pods });
    let with_field = |field: String| pods().map(|pods| Selection { fields: Some(field), ..pods });
    let parts = [
        with_field(format!("spec.nodeName={node}")),
        with_field("spec.hostNetwork=true".to_owned()),
        with_label(GATEWAY_NAME),
        with_label(USE_WAYPOINT),
    ];
    let of_namespaces = namespaces_of_pods(objects, snapshot)
        .into_iter()
        .filter_map(|name| pods().map(|pods| Selection { namespace: Some(name), ..pods }));
    let of_addresses = addresses_of_waypoints(snapshot)
        .into_iter()
        .filter_map(|address| with_field(format!("status.podIP={address}")));
    parts.into_iter().flatten().chain(of_namespaces).chain(of_addresses).collect()
}

/// Namespaces of which every pod counts: where pods without a label of their own have a waypoint,
/// or would have one that can be used, and where an agent may have to choose an endpoint.
fn namespaces_of_pods(objects: &Objects, snapshot: &Snapshot) -> BTreeSet<String> {
    let labels = objects.namespaces.iter().map(|(name, namespace)| {
        let labels = namespace.metadata.labels.clone().unwrap_or_default();
        (name.name.clone(), labels)
    });
    let namespaces: BTreeMap<String, Labels> = labels.collect();
    let mesh = Mesh {
        waypoints: snapshot.waypoints(),
        namespaces: &namespaces,
        accounts: Accounts::none(),
    };
    let bound = namespaces
        .keys()
        .filter(|name| mesh.for_workload(name, &Labels::new(), false) != Binding::Direct);
    let listed = objects.endpoint_slices.iter().filter_map(|(name, slice)| {
        let service = slice.metadata.labels.as_ref()?.get(SERVICE_NAME)?;
        Some(ObjectName::new(&name.namespace, service))
    });
    let listed: BTreeSet<ObjectName> = listed.collect();
    let chosen = snapshot.services().values().filter(|service| chooses(service, objects, &listed));
    bound.cloned().chain(chosen.map(|service| service.name.namespace.clone())).collect()
}

/// Whether an agent may have to choose an endpoint of the Service, and has to know the pods for it:
/// by where they are, or because nobody else says which they are.
fn chooses(service: &Service, objects: &Objects, listed: &BTreeSet<ObjectName>) -> bool {
    let may_pass_by = service.binding.waypoint().is_some() && service.fail_mode == FailMode::Open;
    let by_place = !matches!(service.distribution, Distribution::Unset | Distribution::Any);
    let declared = objects.services.get(&service.name);
    let selects = service.external.is_some()
        || declared.and_then(|service| service.spec.as_ref()?.selector.as_ref()).is_some();
    may_pass_by && (by_place || (selects && !listed.contains(&service.name)))
}

/// Addresses of waypoints whose pods do not bear their names: whoever has one must prove it.
fn addresses_of_waypoints(snapshot: &Snapshot) -> BTreeSet<IpAddr> {
    let unknown =
        snapshot.waypoints().values().filter(|one| snapshot.instances_of(&one.name).is_empty());
    let addresses = unknown.flat_map(|waypoint| match &waypoint.placement {
        Placement::Pods(addresses) => addresses.as_slice(),
        Placement::Here | Placement::Node => &[],
    });
    addresses.filter(|one| snapshot.service_of_vip(**one).is_none()).copied().collect()
}

/// The EndpointSlices that a waypoint's pods have to know.
fn slices_of_waypoint(name: &ObjectName, objects: &Objects, snapshot: &Snapshot) -> Vec<Selection> {
    let is_bound = |service: &Service| {
        let second = service.canary.as_ref().map(|canary| &canary.waypoint);
        service.binding.waypoint() == Some(name) || second == Some(name)
    };
    let services = snapshot.services().values().filter(|service| is_bound(service));
    let services: BTreeSet<&ObjectName> = services.map(|service| &service.name).collect();
    let routes = snapshot.all_routes();
    let routes = routes
        .filter(|route| route.parents.iter().any(|parent| services.contains(&parent.service)));
    let homes = services.iter().map(|service| &service.namespace);
    let homes = homes.chain(routes.map(|route| &route.name.namespace));
    let granting = objects.reference_grants.keys().map(|grant| &grant.namespace);
    let namespaces: BTreeSet<&String> = homes.chain(granting).chain([&name.namespace]).collect();
    let of = |namespace: &String| {
        let slices = Selection::all_of(ENDPOINT_SLICE)?;
        Some(Selection { namespace: Some(namespace.clone()), ..slices })
    };
    namespaces.into_iter().filter_map(of).collect()
}

/// Where more parts of a kind than these would be read, all of it is.
const PARTS_MAX: usize = 32;
const POD: &str = "Pod";
const ENDPOINT_SLICE: &str = "EndpointSlice";

#[cfg(test)]
mod tests;
