//! What the kernel must capture: every destination that the agent has something to do for.
//!
//! Addresses that must stay reachable whatever happens are `kernel`'s to leave out.

use std::sync::Arc;

use crate::mesh::{
    binding::Refusal,
    object::ObjectName,
    service::Service,
    snapshot::{CaptureMode, Snapshot},
    workload::{Transport, Workload},
};

use super::choose::{Choice, for_service, for_workload};

/// Whether connections of enrolled pods to a destination are captured.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Capture<'s> {
    /// They are left alone.
    No,
    /// They are captured, for this waypoint or for a tunnel to the destination.
    Yes(Option<&'s ObjectName>),
    /// They are refused in the kernel.
    Refuse(&'s Refusal),
}

/// For connections to a Service's addresses.
pub fn captures_service<'s>(snapshot: &Snapshot, service: &'s Arc<Service>) -> Capture<'s> {
    // What is outside the cluster has no agent to tunnel to.
    let inside = service.external.is_none();
    capture(&for_service(service), inside && is_mesh(snapshot))
}

/// For connections to a workload's addresses: in the whole mesh those that take a tunnel.
pub fn captures_workload<'s>(snapshot: &Snapshot, workload: &'s Arc<Workload>) -> Capture<'s> {
    let tunnel = is_mesh(snapshot) && takes_tunnels(workload);
    capture(&for_workload(workload), tunnel)
}

/// Whether a tunnel can end at the workload's own agent. Instances of waypoints are asked for what
/// they serve, and never for themselves.
pub(super) fn takes_tunnels(workload: &Workload) -> bool {
    workload.transport == Transport::Hbone && workload.instance_of.is_none()
}

/// What a choice means; `anyway` also captures what no waypoint takes.
fn capture<'s>(choice: &Choice<'s>, anyway: bool) -> Capture<'s> {
    match choice {
        Choice::Waypoint { waypoint, .. } => Capture::Yes(Some(waypoint)),
        Choice::Refuse(refusal) => Capture::Refuse(refusal),
        Choice::Direct(_) if anyway => Capture::Yes(None),
        Choice::Direct(_) => Capture::No,
    }
}

fn is_mesh(snapshot: &Snapshot) -> bool {
    snapshot.settings().capture == CaptureMode::Mesh
}
