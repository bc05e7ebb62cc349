//! Where a captured connection goes.
//!
//! It connects nothing.

use std::{cmp::Reverse, net::SocketAddr, sync::Arc};

use crate::{
    hbone,
    mesh::{
        binding::FailMode,
        object::ObjectName,
        waypoint::{Placement, Waypoint},
        workload::Workload,
    },
    proxy::{
        connection::Connection,
        failure::Failure,
        network::Vantage,
        view::{Endpoint, View},
    },
    select::{self, Choice, Direct, Instance, Outbound, Reached, RefusedBy, Target},
};

/// Where a connection goes.
pub(super) enum Course {
    /// To the engine of this process.
    Here,
    /// Through a waypoint.
    Waypoint(Passage),
    /// To a pod of the mesh, by HBONE.
    Pod(Endpoint),
    /// To where it was addressed, or to a pod of the Service that was, by TCP.
    Plain(Plain),
    /// Nowhere.
    Refused(Failure),
}

/// A way by TCP.
pub(super) struct Plain {
    /// Where to.
    pub(super) address: SocketAddr,
    /// From where.
    pub(super) vantage: Vantage,
    /// The pod that has the address.
    pub(super) workload: Option<Arc<Workload>>,
}

/// A way through a waypoint.
pub(super) struct Passage {
    /// The waypoint.
    pub(super) waypoint: ObjectName,
    /// The host name of the Service that was addressed.
    pub(super) host: Option<String>,
    /// The way without it, if it may be passed by when none of its pods can be reached.
    pub(super) bypass: Option<Plain>,
    /// With how near each is.
    instances: Vec<(u8, Endpoint)>,
}

/// Chooses for a connection of a pod.
pub(super) fn choose(connection: &Connection, view: &View, pod: &Workload) -> Course {
    let worker = &connection.worker;
    let mut dice = |bound| worker.dice(bound);
    match select::outbound(view.snapshot(), connection.local, pod, &mut dice) {
        Outbound::Waypoint { waypoint, .. }
            if matches!(waypoint.placement, Placement::Here | Placement::Node) =>
        {
            Course::Here
        }
        Outbound::Waypoint { waypoint, target, instances } => {
            let bypass = may_bypass(&target).then(|| past(connection, view, pod)).flatten();
            Course::Waypoint(passage(view, (waypoint, &target), &instances, bypass))
        }
        Outbound::Tunnel(reached) => {
            Course::Pod(view.endpoint(reached.address, reached.workload.cloned()))
        }
        Outbound::Plain(reached) => Course::Plain(plain(&reached, view, pod)),
        Outbound::Refuse(by) => Course::Refused(refused(&by)),
    }
}

/// The way through a waypoint.
fn passage(
    view: &View,
    (waypoint, target): (&Waypoint, &Target<'_>),
    instances: &[Instance<'_>],
    bypass: Option<Plain>,
) -> Passage {
    let domain = &view.snapshot().settings().cluster_domain;
    let to_endpoint = |one: &Instance<'_>| {
        let address = SocketAddr::new(one.address, hbone::PORT);
        (one.nearness, view.endpoint(address, one.workload.cloned()))
    };
    Passage {
        waypoint: waypoint.name.clone(),
        host: match target {
            Target::Service(service) => Some(service.host(domain)),
            Target::Workload(_) => None,
        },
        bypass,
        instances: instances.iter().map(to_endpoint).collect(),
    }
}

/// Whether a waypoint may be passed by when it cannot be reached.
fn may_bypass(target: &Target<'_>) -> bool {
    let mode = match target {
        Target::Service(service) => service.fail_mode,
        Target::Workload(workload) => workload.fail_mode,
    };
    mode == FailMode::Open
}

/// The way past every waypoint. A Service's virtual address is resolved here, because dialling it
/// would be captured again.
fn past(connection: &Connection, view: &View, pod: &Workload) -> Option<Plain> {
    let target = view.target(connection.local)?;
    let cluster = view.default_cluster(&target, connection.local);
    let worker = &connection.worker;
    let endpoint = cluster.choose(&[], &mut |bound| worker.dice(bound))?;
    let (address, workload) = (endpoint.address, endpoint.workload.clone());
    Some(Plain { address, vantage: vantage(address, view, pod), workload })
}

/// The way by TCP to whoever was chosen.
fn plain(reached: &Reached<'_>, view: &View, pod: &Workload) -> Plain {
    let address = reached.address;
    Plain { address, vantage: vantage(address, view, pod), workload: reached.workload.cloned() }
}

/// The pod's own network, unless what it dials is captured there; then the node's.
fn vantage(address: SocketAddr, view: &View, pod: &Workload) -> Vantage {
    match select::choose(view.snapshot(), address, Some(pod)) {
        Choice::Direct(Direct::UnknownAddress | Direct::NoWaypoint(Target::Workload(_))) => {
            Vantage::Pod(pod.name.clone())
        }
        _ => Vantage::Own,
    }
}

/// Why nobody takes a connection.
fn refused(by: &RefusedBy<'_>) -> Failure {
    match by {
        RefusedBy::Unusable(refusal) => Failure::Unbound(refusal.message()),
        RefusedBy::NoInstance(waypoint) => {
            Failure::NoHealthyUpstream(format!("waypoint {waypoint}"))
        }
        RefusedBy::NoEndpoint(service) => Failure::NoHealthyUpstream(format!("service {service}")),
    }
}

impl Course {
    /// Whether it is through pods of a waypoint of which one is none of the passage's.
    pub(super) fn offers_more_than(&self, before: &Passage) -> bool {
        let Self::Waypoint(now) = self else { return false };
        now.instances.iter().any(|(_, one)| before.instances.iter().all(|(_, had)| !same(one, had)))
    }
}

/// Whether two endpoints are one pod at one address.
fn same(one: &Endpoint, other: &Endpoint) -> bool {
    let uid = |endpoint: &Endpoint| endpoint.workload.as_ref().map(|pod| Arc::clone(&pod.uid));
    one.address == other.address && uid(one) == uid(other)
}

impl Passage {
    /// Whether the mesh still leads a connection of the pod through this waypoint.
    pub(super) fn still_leads(&self, to: SocketAddr, view: &View, pod: &Workload) -> bool {
        match select::choose(view.snapshot(), to, Some(pod)) {
            Choice::Waypoint { target: Target::Service(service), .. } => {
                service.is_served_by(&self.waypoint)
            }
            Choice::Waypoint { waypoint, .. } => *waypoint == self.waypoint,
            Choice::Direct(_) | Choice::Refuse(_) => false,
        }
    }

    /// The pod of the waypoint that takes the connection: of those that were not tried the nearest,
    /// and of these the one with the fewest connections.
    pub(super) fn pick(&self, tried: &[SocketAddr]) -> Option<&Endpoint> {
        let untried = self.instances.iter().filter(|(_, one)| !tried.contains(&one.address));
        // They are in an order of chance already, of which the first of the least is taken.
        let picked = untried.min_by_key(|(near, one)| (Reverse(*near), one.outstanding()));
        picked.map(|(_, endpoint)| endpoint)
    }
}
