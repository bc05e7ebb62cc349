//! In whose name a peer asks.
//!
//! **Invariant:** that is believed only of the destination's own waypoints, at their own addresses.

use std::{net::IpAddr, sync::Arc};

use crate::mesh::{object::ObjectName, snapshot::Snapshot, spiffe::SpiffeId, workload::Workload};

/// What a peer says of in whose name it asks, if it is one of the pod's waypoints.
pub(super) fn client(
    snapshot: &Snapshot,
    pod: &Workload,
    (peer, address): (&SpiffeId, IpAddr),
    claimed: Option<&Arc<SpiffeId>>,
) -> Option<Arc<SpiffeId>> {
    let claimed = claimed?;
    let is_one = waypoints(snapshot, pod).any(|waypoint| {
        let mut instances = snapshot.instances_of(waypoint).iter();
        instances.any(|one| *one.identity == *peer && one.addresses.contains(&address))
    });
    is_one.then(|| Arc::clone(claimed))
}

/// The waypoints that stand before a pod: its own, and those of its Services, also second ones.
fn waypoints<'s>(
    snapshot: &'s Snapshot,
    pod: &'s Workload,
) -> impl Iterator<Item = &'s ObjectName> {
    let services = snapshot.services_of(&pod.name).iter();
    let theirs = services.flat_map(|service| {
        let second = service.canary.as_ref().map(|canary| &canary.waypoint);
        service.binding.waypoint().into_iter().chain(second)
    });
    pod.binding.waypoint().into_iter().chain(theirs)
}
