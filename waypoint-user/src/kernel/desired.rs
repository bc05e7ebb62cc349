//! What the kernel should hold, as a pure function of a Snapshot.
//!
//! It knows the mesh and the kernel's records, and nothing of maps, interfaces or time.
//!
//! **Invariant:** no address is captured that must stay reachable for a connection to be captured
//! at all: a waypoint's own, the node's, loopback, link-local and multicast addresses.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    iter,
    net::IpAddr,
    sync::Arc,
};

use waypoint_common::redirect::{
    Destination, DestinationKey, action, destination_flag::FAIL_CLOSED,
};

use crate::{
    mesh::{
        object::ObjectName,
        service::Service,
        snapshot::{CaptureMode, Snapshot},
        workload::{Enrolment, NetnsRef, Workload},
    },
    select::{self, Capture},
};

use super::whereabouts::{Sought, Whereabouts};
use admission::Admissions;
pub(super) use networks::{Network, Networks};

mod admission;
mod networks;

/// What the kernel should hold.
#[derive(Debug, Default)]
pub(super) struct Desired {
    /// Entries of `wp_dst`.
    pub(super) destinations: HashMap<DestinationKey, Destination>,
    /// Entries of `wp_net`.
    pub(super) networks: Networks,
    /// Pods of this node whose connections or tunnels are captured.
    pub(super) pods: BTreeMap<ObjectName, Pod>,
    /// Who may connect to them.
    pub(super) admissions: Admissions,
    /// Pods of this node that the agent enters, but nobody says where they are: enrolled ones, and
    /// those of waypoints.
    pub(super) sought: Vec<Sought>,
}

/// A pod whose tunnels are captured.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Pod {
    /// Whether connections that it opens are captured too. What a waypoint opens has passed its
    /// waypoint; but where everything is to travel by mutual TLS, so is that.
    pub(super) client: bool,
    /// Its network namespace, when it is known.
    pub(super) netns: Option<NetnsRef>,
    /// Its uid.
    pub(super) uid: Arc<str>,
    /// Its addresses.
    pub(super) addresses: Vec<IpAddr>,
}

impl Desired {
    /// What the kernel of a node should hold for a Snapshot; without a node's name, every pod is on
    /// it.
    pub(super) fn of(snapshot: &Snapshot, node: Option<&str>) -> Self {
        let guard = Guard::of(snapshot);
        let services = snapshot.services().values().flat_map(|s| service_entries(snapshot, s));
        let workloads = snapshot.workloads().values();
        let workloads = workloads.flat_map(|w| workload_entries(snapshot, w));
        let allowed = services.chain(workloads).filter(|(address, _, _)| guard.allows(*address));
        let (networks, mut destinations) = Networks::of(snapshot);
        destinations.extend(allowed.flat_map(records));
        let here = |workload: &&Arc<Workload>| node.is_none_or(|node| workload.node == node);
        let workloads = snapshot.workloads().values().filter(here);
        let (mut pods, mut admissions) = (BTreeMap::new(), Admissions::default());
        let mut wanted = Vec::new();
        for workload in workloads {
            wanted.extend(sought(workload));
            if let Some(pod) = pod(snapshot, workload) {
                pods.insert(workload.name.clone(), pod);
                admissions.add(workload);
            }
        }
        Self { destinations, networks, pods, admissions, sought: wanted }
    }

    /// Takes over where pods are that nobody says it of, and leaves out those of which that may
    /// still be found out.
    pub(super) fn settle(&mut self, whereabouts: &Whereabouts) {
        for pod in self.pods.values_mut().filter(|pod| pod.netns.is_none()) {
            pod.netns = whereabouts.of(&pod.uid);
        }
        self.pods.retain(|_, pod| pod.netns.is_some() || !whereabouts.is_open(&pod.uid));
    }
}

/// Addresses that are never captured.
struct Guard(HashSet<IpAddr>);

impl Guard {
    fn of(snapshot: &Snapshot) -> Self {
        let excluded = |w: &&Arc<Workload>| w.host_network || w.instance_of.is_some();
        let workloads = snapshot.workloads().values().filter(excluded);
        Self(workloads.flat_map(|workload| workload.addresses.iter().copied()).collect())
    }

    fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let local = match address {
            IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        };
        let special = address.is_unspecified() || address.is_loopback() || address.is_multicast();
        !local && !special && !self.0.contains(&address)
    }
}

type Entry = (IpAddr, u16, Destination);

/// The record of an entry; one that fails closed also guards its address, against packets whose
/// port cannot be read.
fn records((address, port, value): Entry) -> impl Iterator<Item = (DestinationKey, Destination)> {
    let closed = value.action == action::REFUSE || value.flags & FAIL_CLOSED != 0;
    let guard = Destination { action: action::REFUSE, flags: FAIL_CLOSED, waypoint_id: 0, ..value };
    let guard = closed.then(|| (DestinationKey::guard(address.into()), guard));
    iter::once((DestinationKey::tcp(address.into(), port.to_be()), value)).chain(guard)
}

/// One entry for each virtual address and declared port. A headless Service has none: its clients
/// dial pods, and a waypoint for services never sees that.
fn service_entries(snapshot: &Snapshot, service: &Arc<Service>) -> Vec<Entry> {
    let Some(value) = entry(&select::captures_service(snapshot, service), service.fail_closed)
    else {
        return Vec::new();
    };
    // Where two Services claim an address, only one has it.
    let own = |vip: &&IpAddr| {
        snapshot.service_of_vip(**vip).is_some_and(|owner| owner.name == service.name)
    };
    let ports = |vip: &IpAddr| {
        let vip = *vip;
        service.ports.iter().map(move |port| (vip, port.number, value))
    };
    service.vips.iter().filter(own).flat_map(ports).collect()
}

/// A workload that a waypoint takes, or that must not be reached without one, on every port.
fn workload_entries(snapshot: &Snapshot, workload: &Arc<Workload>) -> Vec<Entry> {
    let Some(value) = entry(&select::captures_workload(snapshot, workload), workload.fail_closed)
    else {
        return Vec::new();
    };
    workload.addresses.iter().map(|address| (*address, EVERY_PORT, value)).collect()
}

/// What capturing a destination means to the kernel; nothing where connections are left alone.
fn entry(capture: &Capture<'_>, fail_closed: bool) -> Option<Destination> {
    match capture {
        Capture::No => None,
        Capture::Yes(waypoint) => Some(destination(action::CAPTURE, fail_closed, *waypoint)),
        Capture::Refuse(refusal) => {
            Some(destination(action::REFUSE, true, Some(&refusal.waypoint)))
        }
    }
}

/// An enrolled pod; pods of a waypoint are that only if the agent terminates HBONE for them.
fn pod(snapshot: &Snapshot, workload: &Workload) -> Option<Pod> {
    let captured = workload.enrolment == Enrolment::Enrolled
        && !workload.host_network
        && !workload.addresses.is_empty();
    let can_be_found = workload.netns.is_some() || Whereabouts::can_find(&workload.uid);
    if !captured || !can_be_found {
        return None;
    }
    let mesh = snapshot.settings().capture == CaptureMode::Mesh;
    let client = mesh || workload.instance_of.is_none();
    let (netns, uid) = (workload.netns.clone(), Arc::clone(&workload.uid));
    Some(Pod { client, netns, uid, addresses: workload.addresses.clone() })
}

/// What a pod is looked for by, if the agent enters its network and nobody says where that is.
fn sought(workload: &Workload) -> Option<Sought> {
    let entered = matches!(workload.enrolment, Enrolment::Enrolled | Enrolment::Waypoint);
    let has_own = !workload.host_network && !workload.addresses.is_empty();
    let is_wanted =
        entered && has_own && workload.netns.is_none() && Whereabouts::can_find(&workload.uid);
    let (uid, addresses) = (Arc::clone(&workload.uid), workload.addresses.clone());
    is_wanted.then_some(Sought { uid, addresses })
}

fn destination(action: u8, fail_closed: bool, waypoint: Option<&ObjectName>) -> Destination {
    Destination {
        action,
        flags: if fail_closed { FAIL_CLOSED } else { 0 },
        waypoint_slot: 0,
        waypoint_id: waypoint.map(number).unwrap_or_default(),
        target_if: 0,
        reserve: 0,
    }
}

/// A number for a waypoint that does not depend on the others (FNV-1a, 32 bits), never zero.
pub(super) fn number(waypoint: &ObjectName) -> u32 {
    let hash = waypoint
        .to_string()
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash.max(1)
}

const EVERY_PORT: u16 = 0;

#[cfg(test)]
mod tests;
