//! What becomes of a tunnel that arrives: at the agent of a pod (Istio ztunnel
//! `src/proxy/inbound.rs`), or at a waypoint.
//!
//! It judges nobody; that is `policy`'s, and comes after.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use crate::mesh::{
    binding::Binding,
    object::ObjectName,
    service::{Endpoint, Service},
    snapshot::Snapshot,
    waypoint::InboundBinding,
    workload::Workload,
};

use super::{balance::is_same_family, choose::Target};

/// The target that a CONNECT names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Authority<'a> {
    /// An address.
    Address(SocketAddr),
    /// A Service's host name.
    Host(&'a str, u16),
}

/// What becomes of a tunnel that arrives for a pod.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Inbound<'s> {
    /// It is connected to the pod.
    Deliver {
        /// Where the pod takes it.
        address: SocketAddr,
        /// What policies see as the destination; in front of a waypoint what was dialled.
        destination: SocketAddr,
        /// The Service that it was addressed to, if it was to one.
        service: Option<&'s Arc<Service>>,
        /// How the pod takes it, if it is a waypoint that does not terminate HBONE itself.
        binding: Option<InboundBinding>,
    },
    /// It is for somebody else: 400.
    NotHere,
    /// Nothing here takes it: 503.
    Unknown,
}

/// Decides for a tunnel that arrived at this workload's address.
pub fn inbound<'s>(
    snapshot: &'s Snapshot,
    workload: &Workload,
    authority: Authority<'_>,
) -> Inbound<'s> {
    let found = match bound_here(snapshot, workload, authority) {
        Some(delivered) => delivered,
        None => match authority {
            Authority::Address(address) => at_address(snapshot, workload, address),
            Authority::Host(host, port) => at_host(snapshot, workload, host, port),
        },
    };
    match found {
        // Delivered to itself, it would be captured again and never end.
        Inbound::Deliver { address, .. } if OUR_PORTS.contains(&address.port()) => Inbound::Unknown,
        Inbound::Deliver { address, destination, service, binding } => {
            let binding = binding.or_else(|| headed(snapshot, workload, address.port()));
            Inbound::Deliver { address, destination, service, binding }
        }
        other => other,
    }
}

/// What an authority stands for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Addressed<'s> {
    /// What a waypoint takes it for.
    pub target: Target<'s>,
    /// The original destination: what the client dialled, or would have by name.
    pub destination: SocketAddr,
}

/// What a tunnel at a waypoint is for: a port of a Service or a workload that is bound to it, also
/// as a second one; `None` for everything else.
pub fn bound_to<'s>(
    snapshot: &'s Snapshot,
    waypoint: &ObjectName,
    authority: Authority<'_>,
) -> Option<Addressed<'s>> {
    let found = addressed(snapshot, authority)?;
    let takes = match found.target {
        Target::Service(service) => is_bound(service, waypoint),
        Target::Workload(workload) => workload.binding.waypoint() == Some(waypoint),
    };
    takes.then_some(found)
}

/// What an authority stands for, whoever takes it: a port of a Service, or a workload.
pub fn addressed<'s>(snapshot: &'s Snapshot, authority: Authority<'_>) -> Option<Addressed<'s>> {
    let (service, destination) = match authority {
        Authority::Host(host, port) => {
            let service = service_of_host(snapshot, host)?;
            let first = service.vips.iter().find(|vip| vip.is_ipv4());
            let vip = first.or(service.vips.first())?;
            (Some(service), SocketAddr::new(*vip, port))
        }
        Authority::Address(address) => {
            let address = SocketAddr::new(address.ip().to_canonical(), address.port());
            (snapshot.service_of_vip(address.ip()), address)
        }
    };
    let target = if let Some(service) = service {
        service.port(destination.port()).map(|_| Target::Service(service))?
    } else {
        Target::Workload(snapshot.workload_of_address(destination.ip())?)
    };
    Some(Addressed { target, destination })
}

/// Whether a waypoint takes connections to a Service, as its first or its second.
fn is_bound(service: &Service, waypoint: &ObjectName) -> bool {
    match &service.binding {
        Binding::Bound(first) => {
            let second = service.canary.as_ref().map(|canary| &canary.waypoint);
            first == waypoint || second == Some(waypoint)
        }
        Binding::Direct | Binding::Refused(_) => false,
    }
}

/// For a pod that is a waypoint and has its HBONE terminated: whatever is bound to it.
fn bound_here<'s>(
    snapshot: &'s Snapshot,
    workload: &Workload,
    authority: Authority<'_>,
) -> Option<Inbound<'s>> {
    let waypoint = snapshot.waypoints().get(workload.instance_of.as_ref()?)?;
    let binding = waypoint.inbound_binding?;
    let Addressed { target, destination } = bound_to(snapshot, &waypoint.name, authority)?;
    let port = binding.port.unwrap_or(destination.port());
    Some(Inbound::Deliver {
        address: SocketAddr::new(address_of(workload, destination.ip())?, port),
        destination,
        service: match target {
            Target::Service(service) => Some(service),
            Target::Workload(_) => None,
        },
        binding: Some(binding),
    })
}

/// How a pod takes whatever arrives at a port where it expects PROXY headers: with one in front.
/// Otherwise anybody who may reach the pod could say there in whose name.
fn headed(snapshot: &Snapshot, workload: &Workload, port: u16) -> Option<InboundBinding> {
    let waypoint = snapshot.waypoints().get(workload.instance_of.as_ref()?)?;
    let expects = |one: &InboundBinding| one.proxy && one.port.is_none_or(|own| own == port);
    waypoint.inbound_binding.filter(expects)
}

/// The pod's own address, or one of a Service of which it is an endpoint.
fn at_address<'s>(snapshot: &'s Snapshot, workload: &Workload, address: SocketAddr) -> Inbound<'s> {
    let ip = address.ip().to_canonical();
    if workload.addresses.contains(&ip) {
        let address = SocketAddr::new(ip, address.port());
        return Inbound::Deliver { address, destination: address, service: None, binding: None };
    }
    let services = snapshot.services_of(&workload.name);
    match snapshot.service_of_vip(ip) {
        Some(service) if services.iter().any(|one| one.name == service.name) => {
            as_endpoint(service, workload, address.port(), Some(ip))
        }
        _ => Inbound::NotHere,
    }
}

/// A Service by its host name.
fn at_host<'s>(snapshot: &'s Snapshot, workload: &Workload, host: &str, port: u16) -> Inbound<'s> {
    match service_of_host(snapshot, host) {
        None => Inbound::Unknown,
        Some(service) => as_endpoint(service, workload, port, None),
    }
}

/// The pod as an endpoint of a Service's port, by its address of the family that was dialled.
fn as_endpoint<'s>(
    service: &'s Arc<Service>,
    workload: &Workload,
    port: u16,
    dialled: Option<IpAddr>,
) -> Inbound<'s> {
    let is_own = |one: &&Endpoint| one.workload.as_ref() == Some(&workload.name);
    let own: Vec<&Endpoint> = service.endpoints.iter().filter(is_own).collect();
    if own.is_empty() {
        return Inbound::NotHere;
    }
    let same = dialled.and_then(|vip| own.iter().find(|one| is_same_family(one.address, vip)));
    let endpoint = same.or(own.first());
    let address =
        endpoint.and_then(|one| Some(SocketAddr::new(one.address, one.target_port(port)?)));
    match address {
        Some(address) => Inbound::Deliver {
            address,
            destination: address,
            service: Some(service),
            binding: None,
        },
        None => Inbound::Unknown,
    }
}

/// The pod's address of a family, or of the other.
fn address_of(workload: &Workload, family: IpAddr) -> Option<IpAddr> {
    let addresses = &workload.addresses;
    addresses.iter().find(|one| is_same_family(**one, family)).or(addresses.first()).copied()
}

/// The Service of a host name `name.namespace.svc.domain`, or the first by name of those that
/// ServiceEntries make of it.
pub fn service_of_host<'s>(snapshot: &'s Snapshot, host: &str) -> Option<&'s Arc<Service>> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    in_cluster(snapshot, &host).or_else(|| snapshot.services_of_host(&host).first())
}

fn in_cluster<'s>(snapshot: &'s Snapshot, host: &str) -> Option<&'s Arc<Service>> {
    let domain = &snapshot.settings().cluster_domain;
    let short = host.strip_suffix(domain.as_str())?.strip_suffix(".svc.")?;
    let (name, namespace) = short.split_once('.')?;
    snapshot.services().get(&ObjectName::new(namespace, name))
}

/// Ports at which an agent takes connections itself (Istio's self-call guard).
const OUR_PORTS: [u16; 3] = [15008, 15006, 15001];
