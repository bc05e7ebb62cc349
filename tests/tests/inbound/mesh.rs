//! Snapshots of pods.

use std::{net::IpAddr, sync::Arc};

use waypoint_user::mesh::{
    binding::Binding,
    object::ObjectName,
    snapshot::{Contents, Snapshot},
    workload::{Enrolment, Workload},
};

use crate::{agent::HERE, node::Pod};

/// A Snapshot of these workloads.
pub(crate) fn snapshot(workloads: impl IntoIterator<Item = Workload>) -> Snapshot {
    let named = |workload: Workload| (workload.name.clone(), Arc::new(workload));
    Snapshot::new(Contents {
        workloads: workloads.into_iter().map(named).collect(),
        ..Contents::default()
    })
}

/// An enrolled pod of this node.
pub(crate) fn workload(short: &str, pod: &Pod, addresses: &[IpAddr]) -> Workload {
    Workload {
        addresses: addresses.to_vec(),
        enrolment: Enrolment::Enrolled,
        netns: Some(pod.netns()),
        node: HERE.to_owned(),
        ..Workload::new(name(short))
    }
}

/// The same, behind a waypoint for every port.
pub(crate) fn behind_waypoint(workload: Workload) -> Workload {
    Workload { binding: Binding::Bound(name("waypoint")), ..workload }
}

/// A name in the tests' namespace.
pub(crate) fn name(short: &str) -> ObjectName {
    ObjectName::new("shop", short)
}
