//! What becomes of a captured connection of a pod (Istio ztunnel `src/proxy/outbound.rs`).
//!
//! It dials nothing. Which connections are captured at all is `capture`'s.
//!
//! **Invariant:** a connection that a waypoint takes never goes to its destination because the
//! waypoint is not there, unless its fail mode is `open`.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use crate::mesh::{
    binding::{FailMode, Refusal},
    external::Resolution,
    object::ObjectName,
    service::Service,
    snapshot::{CaptureMode, Snapshot},
    waypoint::{Placement, Waypoint},
    workload::Workload,
};

use super::{
    balance,
    canary::weighted,
    capture::takes_tunnels,
    choose::{Choice, Target, choose},
    locality::Place,
};

/// What becomes of a captured connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outbound<'s> {
    /// A waypoint takes it. The authority is the address that the client dialled.
    Waypoint {
        /// The waypoint; its placement says where it runs.
        waypoint: &'s Arc<Waypoint>,
        /// What the waypoint takes it for.
        target: Target<'s>,
        /// Where to dial, port 15008, in this order; none where it runs in no pods.
        instances: Vec<Instance<'s>>,
    },
    /// It goes by HBONE to the workload itself, port 15008. The authority is the address here.
    Tunnel(Reached<'s>),
    /// It goes by ordinary TCP to the address.
    Plain(Reached<'s>),
    /// It is refused at once.
    Refuse(RefusedBy<'s>),
}

/// Where a waypoint can be reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Instance<'s> {
    /// Its address.
    pub address: IpAddr,
    /// The pod, and so the identity that it must prove; unknown for waypoints of others.
    pub workload: Option<&'s Arc<Workload>>,
    /// How near it is to the client; more is nearer.
    pub nearness: u8,
}

/// Where a connection ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reached<'s> {
    /// The address.
    pub address: SocketAddr,
    /// The pod that has it, if one is known.
    pub workload: Option<&'s Arc<Workload>>,
    /// The Service that was dialled, if one was.
    pub service: Option<&'s Arc<Service>>,
}

/// Why a connection is refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RefusedBy<'s> {
    /// Its waypoint cannot be used, and its fail mode is `closed`.
    Unusable(&'s Refusal),
    /// Its waypoint has no instance that is ready.
    NoInstance(&'s ObjectName),
    /// The Service has no endpoint that is ready, or none for this port.
    NoEndpoint(&'s ObjectName),
}

/// Decides for a connection of `client` to the address that it dialled. `dice(n)` throws a number
/// below `n`.
///
/// A Service is looked for before a workload, and a connection that is addressed to a Service never
/// meets the waypoint of the workload at which it ends. What a waypoint itself dials meets none.
pub fn outbound<'s>(
    snapshot: &'s Snapshot,
    destination: SocketAddr,
    client: &Workload,
    dice: &mut dyn FnMut(u32) -> u32,
) -> Outbound<'s> {
    let call = Call { destination, home: Place::of_workload(snapshot, Some(client)) };
    match choose(snapshot, destination, Some(client)) {
        Choice::Refuse(refusal) => Outbound::Refuse(RefusedBy::Unusable(refusal)),
        Choice::Waypoint { waypoint, target } => {
            let (name, mode) = match &target {
                Target::Service(service) => {
                    (weighted(service, dice).unwrap_or(waypoint), service.fail_mode)
                }
                Target::Workload(workload) => (waypoint, workload.fail_mode),
            };
            match through(snapshot, name, call, dice) {
                Some((waypoint, instances)) => Outbound::Waypoint { waypoint, target, instances },
                None if mode == FailMode::Open => direct(snapshot, call, dice),
                None => Outbound::Refuse(RefusedBy::NoInstance(name)),
            }
        }
        Choice::Direct(_) => direct(snapshot, call, dice),
    }
}

/// What is dialled, and where the client is.
#[derive(Clone, Copy)]
struct Call<'s> {
    destination: SocketAddr,
    home: Place<'s>,
}

/// The waypoint, if something serves it.
fn through<'s>(
    snapshot: &'s Snapshot,
    name: &ObjectName,
    Call { destination, home }: Call<'_>,
    dice: &mut dyn FnMut(u32) -> u32,
) -> Option<(&'s Arc<Waypoint>, Vec<Instance<'s>>)> {
    let waypoint = snapshot.waypoints().get(name)?;
    if !matches!(waypoint.placement, Placement::Pods(_)) {
        return Some((waypoint, Vec::new()));
    }
    let instances = balance::instances(snapshot, waypoint, (destination.ip(), home), dice);
    (!instances.is_empty()).then_some((waypoint, instances))
}

/// To the destination itself, past every waypoint.
fn direct<'s>(
    snapshot: &'s Snapshot,
    Call { destination, home }: Call<'_>,
    dice: &mut dyn FnMut(u32) -> u32,
) -> Outbound<'s> {
    let ip = destination.ip().to_canonical();
    let destination = SocketAddr::new(ip, destination.port());
    let reached = match snapshot.service_of_vip(ip) {
        // Names are a waypoint's to look up; without one it is the address that counts.
        Some(service) if *service.resolution() != Resolution::Listed => {
            Reached { address: destination, workload: None, service: Some(service) }
        }
        Some(service) => match balance::endpoint(snapshot, (service, destination), home, dice) {
            Some(reached) => reached,
            None => return Outbound::Refuse(RefusedBy::NoEndpoint(&service.name)),
        },
        None => Reached {
            address: destination,
            workload: snapshot.workload_of_address(ip),
            service: None,
        },
    };
    let mesh = snapshot.settings().capture == CaptureMode::Mesh;
    if mesh && reached.workload.is_some_and(|workload| takes_tunnels(workload)) {
        Outbound::Tunnel(reached)
    } else {
        Outbound::Plain(reached)
    }
}
