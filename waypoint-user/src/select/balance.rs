//! Which endpoint of a Service, and which instance of a waypoint, one connection goes to: any that
//! is ready, of the family that was dialled if there is one.
//!
//! It counts nothing; where requests are balanced, that is `balance`'s.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use crate::mesh::{
    service::Service, snapshot::Snapshot, waypoint::Placement, waypoint::Waypoint,
    workload::Workload,
};

use super::outbound::{Instance, Reached};

/// An endpoint of the Service's port, by chance.
pub(super) fn endpoint<'s>(
    snapshot: &'s Snapshot,
    service: &'s Arc<Service>,
    dialled: SocketAddr,
    dice: &mut dyn FnMut(u32) -> u32,
) -> Option<Reached<'s>> {
    let ready = service.endpoints.iter().filter(|endpoint| endpoint.ready);
    let reached: Vec<Reached<'s>> = ready
        .filter_map(|endpoint| {
            let address = SocketAddr::new(endpoint.address, endpoint.target_port(dialled.port())?);
            let named = endpoint.workload.as_ref().and_then(|name| snapshot.workloads().get(name));
            let workload = named.or_else(|| snapshot.workload_of_address(endpoint.address));
            Some(Reached { address, workload, service: Some(service) })
        })
        .collect();
    in_order(reached, dialled.ip(), |one| one.address.ip(), dice).into_iter().next()
}

/// The ready instances of a waypoint in the order in which they are to be tried. One whose pods are
/// not known is reached by its own addresses.
pub(super) fn instances<'s>(
    snapshot: &'s Snapshot,
    waypoint: &'s Waypoint,
    dialled: IpAddr,
    dice: &mut dyn FnMut(u32) -> u32,
) -> Vec<Instance<'s>> {
    let pods = snapshot.instances_of(&waypoint.name);
    let instances = if pods.is_empty() {
        let addresses = match &waypoint.placement {
            Placement::Pods(addresses) => addresses.as_slice(),
            Placement::Here | Placement::Node => &[],
        };
        let of_address = |address: &IpAddr| Instance {
            address: *address,
            workload: snapshot.workload_of_address(*address),
        };
        addresses.iter().map(of_address).collect()
    } else {
        let ready = pods.iter().filter(|pod| pod.ready);
        ready.filter_map(|pod| of_family(pod, dialled)).collect()
    };
    in_order(instances, dialled, |one| one.address, dice)
}

/// A pod by its address of a family, or of the other.
fn of_family(workload: &Arc<Workload>, family: IpAddr) -> Option<Instance<'_>> {
    let addresses = &workload.addresses;
    let same = addresses.iter().find(|address| is_same_family(**address, family));
    let address = *same.or(addresses.first())?;
    Some(Instance { address, workload: Some(workload) })
}

/// Rotated by chance, and those of the family first.
fn in_order<T>(
    mut all: Vec<T>,
    family: IpAddr,
    address: impl Fn(&T) -> IpAddr,
    dice: &mut dyn FnMut(u32) -> u32,
) -> Vec<T> {
    all.sort_by_key(|one| !is_same_family(address(one), family));
    let same = all.partition_point(|one| is_same_family(address(one), family));
    let (first, rest) = all.split_at_mut(same);
    for part in [first, rest] {
        if let Ok(sides @ 2..) = u32::try_from(part.len()) {
            let start = usize::try_from(dice(sides)).unwrap_or_default();
            part.rotate_left(start.min(part.len()));
        }
    }
    all
}

/// Whether both addresses are of one family; a mapped IPv4 address counts as IPv4.
pub(super) fn is_same_family(one: IpAddr, other: IpAddr) -> bool {
    one.to_canonical().is_ipv4() == other.to_canonical().is_ipv4()
}
