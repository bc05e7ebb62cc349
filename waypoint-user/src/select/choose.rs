//! From the address that a client dials to the waypoint that takes the connection.
//!
//! It chooses no endpoint, and it does not say whether the client's node can capture the
//! connection.

use std::{net::SocketAddr, sync::Arc};

use crate::mesh::{
    binding::{Binding, FailMode, Refusal},
    object::ObjectName,
    service::Service,
    snapshot::Snapshot,
    workload::{Enrolment, Workload},
};

/// What becomes of a connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Choice<'s> {
    /// It goes to its destination.
    Direct(Direct<'s>),
    /// A waypoint takes it.
    Waypoint {
        /// The waypoint.
        waypoint: &'s ObjectName,
        /// What the waypoint takes it for.
        target: Target<'s>,
    },
    /// It is refused: its waypoint cannot be used and its fail mode is `closed`.
    Refuse(&'s Refusal),
}

/// Why a connection goes to its destination without a waypoint.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Direct<'s> {
    /// The client is an instance of a waypoint.
    FromWaypoint,
    /// The client's connections are not captured.
    NotCaptured(Enrolment),
    /// The address belongs to no Service and to no workload.
    UnknownAddress,
    /// Nothing asks for a waypoint.
    NoWaypoint(Target<'s>),
    /// The waypoint that is asked for cannot be used.
    Refused(&'s Refusal),
}

/// What an address stands for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target<'s> {
    /// A Service's virtual address.
    Service(&'s Arc<Service>),
    /// A workload's own address, also when it was learnt from a headless Service.
    Workload(&'s Arc<Workload>),
}

/// Chooses for a connection to `destination`. Without a client, for a client whose connections are
/// captured.
pub fn choose<'s>(
    snapshot: &'s Snapshot,
    destination: SocketAddr,
    client: Option<&Workload>,
) -> Choice<'s> {
    if let Some(client) = client {
        if client.instance_of.is_some() || client.enrolment == Enrolment::Waypoint {
            return Choice::Direct(Direct::FromWaypoint);
        }
        if client.enrolment != Enrolment::Enrolled {
            return Choice::Direct(Direct::NotCaptured(client.enrolment));
        }
    }
    let address = destination.ip().to_canonical();
    if let Some(service) = snapshot.service_of_vip(address) {
        for_service(service)
    } else if let Some(workload) = snapshot.workload_of_address(address) {
        for_workload(workload)
    } else {
        Choice::Direct(Direct::UnknownAddress)
    }
}

/// Chooses for every captured connection that is addressed to the Service.
pub fn for_service(service: &Arc<Service>) -> Choice<'_> {
    let closed = service.fail_mode == FailMode::Closed;
    decide(&service.binding, closed, Target::Service(service))
}

/// Chooses for every captured connection that is addressed to the workload.
pub fn for_workload(workload: &Arc<Workload>) -> Choice<'_> {
    decide(&workload.binding, workload.fail_closed, Target::Workload(workload))
}

/// What a binding means; `closed` counts only where the waypoint was refused.
fn decide<'s>(binding: &'s Binding, closed: bool, target: Target<'s>) -> Choice<'s> {
    match binding {
        Binding::Direct => Choice::Direct(Direct::NoWaypoint(target)),
        Binding::Bound(waypoint) => Choice::Waypoint { waypoint, target },
        Binding::Refused(refusal) if closed => Choice::Refuse(refusal),
        Binding::Refused(refusal) => Choice::Direct(Direct::Refused(refusal)),
    }
}
