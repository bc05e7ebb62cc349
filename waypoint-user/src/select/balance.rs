//! Which endpoint of a Service, and which instance of a waypoint, one connection goes to: any that
//! is ready, of the family that was dialled if there is one, and of those that are near enough.
//!
//! It counts nothing; where requests are balanced, that is `balance`'s.

use std::{
    cmp::Reverse,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use crate::mesh::{
    service::{Distribution, Service},
    snapshot::Snapshot,
    waypoint::{Placement, Waypoint},
    workload::Workload,
};

use super::{
    locality::{Place, nearest},
    outbound::{Instance, Reached},
};

/// An endpoint of the Service's port, by chance; `home` is where the client is.
pub(super) fn endpoint<'s>(
    snapshot: &'s Snapshot,
    (service, dialled): (&'s Arc<Service>, SocketAddr),
    home: Place<'_>,
    dice: &mut dyn FnMut(u32) -> u32,
) -> Option<Reached<'s>> {
    let ready = service.endpoints.iter().filter(|endpoint| endpoint.ready);
    let mut reached: Vec<Reached<'s>> = ready
        .filter_map(|endpoint| {
            let address = SocketAddr::new(endpoint.address, endpoint.target_port(dialled.port())?);
            let named = endpoint.workload.as_ref().and_then(|name| snapshot.workloads().get(name));
            let workload = named.or_else(|| snapshot.workload_of_address(endpoint.address));
            Some(Reached { address, workload, service: Some(service) })
        })
        .collect();
    let same = |one: &Reached<'_>| is_same_family(one.address.ip(), dialled.ip());
    if reached.iter().any(same) {
        reached.retain(same);
    }
    let near = nearest(reached, |one| {
        let place = Place::of_workload(snapshot, one.workload.map(Arc::as_ref));
        home.nearness_of(place, service.distribution)
    });
    in_order(near, |_| (), dice).into_iter().next()
}

/// The ready instances of a waypoint in the order in which they are to be tried, those that are
/// nearest to `home` first. One whose pods are not known is reached by its own addresses.
pub(super) fn instances<'s>(
    snapshot: &'s Snapshot,
    waypoint: &'s Waypoint,
    (dialled, home): (IpAddr, Place<'_>),
    dice: &mut dyn FnMut(u32) -> u32,
) -> Vec<Instance<'s>> {
    let pods = snapshot.instances_of(&waypoint.name);
    let mut instances: Vec<_> = if pods.is_empty() {
        let addresses = match &waypoint.placement {
            Placement::Pods(addresses) => addresses.as_slice(),
            Placement::Here | Placement::Node => &[],
        };
        let of_address = |address: &IpAddr| Instance {
            address: *address,
            workload: snapshot.workload_of_address(*address),
            nearness: 0,
        };
        addresses.iter().map(of_address).collect()
    } else {
        let ready = pods.iter().filter(|pod| pod.ready);
        ready.filter_map(|pod| of_family(pod, dialled)).collect()
    };
    let rule = rule_for(snapshot, waypoint);
    instances.retain_mut(|one| {
        let place = Place::of_workload(snapshot, one.workload.map(Arc::as_ref));
        let nearness = home.nearness_of(place, rule);
        one.nearness = nearness.unwrap_or_default();
        nearness.is_some()
    });
    let order = |one: &Instance<'_>| (Reverse(one.nearness), !is_same_family(one.address, dialled));
    in_order(instances, order, dice)
}

/// What the Service of a waypoint, which has its name, asks for. If it asks for no more than a
/// zone, the node comes first: what stays on a node stays in its zone, and needs no encryption.
fn rule_for(snapshot: &Snapshot, waypoint: &Waypoint) -> Distribution {
    match snapshot.services().get(&waypoint.name).map(|service| service.distribution) {
        Some(rule @ (Distribution::Any | Distribution::OnlyNode)) => rule,
        _ => Distribution::PreferNode,
    }
}

/// A pod by its address of a family, or of the other.
fn of_family(workload: &Arc<Workload>, family: IpAddr) -> Option<Instance<'_>> {
    let addresses = &workload.addresses;
    let same = addresses.iter().find(|address| is_same_family(**address, family));
    let address = *same.or(addresses.first())?;
    Some(Instance { address, workload: Some(workload), nearness: 0 })
}

/// Sorted, and those that are equal in this rotated by chance.
fn in_order<T, K: Ord>(
    mut all: Vec<T>,
    key: impl Fn(&T) -> K,
    dice: &mut dyn FnMut(u32) -> u32,
) -> Vec<T> {
    all.sort_by_key(&key);
    for equal in all.chunk_by_mut(|one, next| key(one) == key(next)) {
        if let Ok(sides @ 2..) = u32::try_from(equal.len()) {
            let start = usize::try_from(dice(sides)).unwrap_or_default();
            equal.rotate_left(start.min(equal.len()));
        }
    }
    all
}

/// Whether both addresses are of one family; a mapped IPv4 address counts as IPv4.
pub(super) fn is_same_family(one: IpAddr, other: IpAddr) -> bool {
    one.to_canonical().is_ipv4() == other.to_canonical().is_ipv4()
}
