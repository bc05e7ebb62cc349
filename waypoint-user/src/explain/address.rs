//! What a client dials: a Service, a pod, or something that is not of the mesh.
//!
//! Names mean what a pod's resolver would make of them.

use std::{net::IpAddr, net::SocketAddr, sync::Arc};

use crate::{
    mesh::{
        binding::Binding,
        label::Labels,
        object::{ObjectName, ObjectRef},
        report::Report,
        service::{Service, ServicePort},
        snapshot::Snapshot,
        workload::Workload,
    },
    select::service_of_host,
};

use super::{
    Case, Question, Step, Unknown, counted, of_service, of_workload,
    outside::{self, Outside},
};

/// What is dialled.
pub(super) enum Dialled<'s> {
    /// A Service's virtual address.
    Service { service: &'s Arc<Service>, address: SocketAddr },
    /// A pod's own address, perhaps learnt from a headless Service.
    Workload {
        workload: &'s Arc<Workload>,
        address: SocketAddr,
        headless: Option<&'s Arc<Service>>,
    },
    /// A name whose connections the mesh does not see.
    Outside(Outside<'s>),
    /// An address that nothing in the mesh has.
    Nobody(SocketAddr),
}

impl<'s> Dialled<'s> {
    /// The address, if it is known.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Service { address, .. }
            | Self::Workload { address, .. }
            | Self::Nobody(address) => Some(*address),
            Self::Outside(_) => None,
        }
    }

    /// The object whose label counts, and its labels.
    pub(super) fn labelled(&self) -> Option<(ObjectRef, &'s Labels)> {
        match self {
            Self::Service { service, .. } => Some((of_service(service), &service.labels)),
            Self::Workload { workload, .. } => Some((of_workload(workload), &workload.labels)),
            Self::Outside(outside) => {
                outside.service().map(|service| (of_service(service), &service.labels))
            }
            Self::Nobody(_) => None,
        }
    }

    /// Which waypoint it is bound to.
    pub(super) fn binding(&self) -> Option<&'s Binding> {
        match self {
            Self::Service { service, .. } => Some(&service.binding),
            Self::Workload { workload, .. } => Some(&workload.binding),
            Self::Outside(outside) => outside.service().map(|service| &service.binding),
            Self::Nobody(_) => None,
        }
    }

    /// What is known of a name whose connections the mesh does not see.
    pub(super) fn outside(&self) -> Option<&Outside<'s>> {
        match self {
            Self::Outside(outside) => Some(outside),
            _ => None,
        }
    }

    /// Whether it is a port that its Service does not have.
    pub(super) fn is_undeclared(&self) -> bool {
        match self {
            Self::Service { service, address } => service.port(address.port()).is_none(),
            _ => false,
        }
    }
}

/// Finds what a question is about.
pub(super) fn find<'s>(
    snapshot: &'s Snapshot,
    report: &Report,
    client: &Workload,
    question: &Question,
) -> Result<Dialled<'s>, Unknown> {
    let host = question.host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(at(snapshot, SocketAddr::new(ip.to_canonical(), question.port)));
    }
    if let Some(service) = service_of_host(snapshot, host) {
        return by_name(snapshot, client, service, question.port);
    }
    if let Some(outside) = outside::by_wildcard(snapshot, report, host) {
        return Ok(Dialled::Outside(outside));
    }
    let name = service_name(snapshot, client, host);
    let name = name.ok_or_else(|| Unknown::Name(host.to_owned()))?;
    let domain = &snapshot.settings().cluster_domain;
    let full = format!("{}.{}.svc.{domain}", name.name, name.namespace);
    if let Some(service) = service_of_host(snapshot, &full) {
        return by_name(snapshot, client, service, question.port);
    }
    let unknown = Unknown::Host { host: host.to_owned(), service: name.clone() };
    outside::by_another_name(report, name).map(Dialled::Outside).ok_or(unknown)
}

/// What has an address.
fn at(snapshot: &Snapshot, address: SocketAddr) -> Dialled<'_> {
    if let Some(service) = snapshot.service_of_vip(address.ip()) {
        return Dialled::Service { service, address };
    }
    match snapshot.workload_of_address(address.ip()) {
        Some(workload) => Dialled::Workload { workload, address, headless: None },
        None => Dialled::Nobody(address),
    }
}

/// What a Service's name means: its virtual address, of the client's family if it can be, or where
/// it is headless the address of a pod.
fn by_name<'s>(
    snapshot: &'s Snapshot,
    client: &Workload,
    service: &'s Arc<Service>,
    port: u16,
) -> Result<Dialled<'s>, Unknown> {
    let of_client = |ip: &&IpAddr| client.addresses.iter().any(|own| own.is_ipv4() == ip.is_ipv4());
    let vips = &service.vips;
    if let Some(vip) = vips.iter().find(of_client).or(vips.first()) {
        return Ok(Dialled::Service { service, address: SocketAddr::new(*vip, port) });
    }
    if service.external.is_some() {
        return Ok(Dialled::Outside(Outside::without_address(service)));
    }
    let mut endpoints = service.endpoints.iter().filter(|endpoint| endpoint.ready);
    let found = endpoints.find_map(|endpoint| {
        let workload = snapshot.workload_of_address(endpoint.address)?;
        // What is behind a headless name is dialled by the pod's own port.
        let port = endpoint.target_port(port).unwrap_or(port);
        let address = SocketAddr::new(endpoint.address, port);
        Some(Dialled::Workload { workload, address, headless: Some(service) })
    });
    found.ok_or_else(|| Unknown::Empty(service.name.clone()))
}

/// The Service that a name would be, to a client of its namespace.
fn service_name(snapshot: &Snapshot, client: &Workload, host: &str) -> Option<ObjectName> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let domain = &snapshot.settings().cluster_domain;
    let short = host.strip_suffix(domain.as_str()).and_then(|rest| rest.strip_suffix('.'));
    let short = short.unwrap_or(&host);
    let short = short.strip_suffix(".svc").unwrap_or(short);
    match short.split('.').collect::<Vec<_>>().as_slice() {
        [name] => Some(ObjectName::new(&client.name.namespace, *name)),
        [name, namespace] => Some(ObjectName::new(*namespace, *name)),
        _ => None,
    }
}

/// Says what is dialled.
pub(super) fn step(case: &Case<'_>) -> Step {
    match &case.dialled {
        Dialled::Service { service, address } => by_port(service, *address),
        Dialled::Workload { workload, address, headless } => itself(workload, *address, *headless),
        Dialled::Outside(outside) => outside.step(),
        Dialled::Nobody(address) => {
            Step::new(TOPIC, format!("{address} belongs to no Service and no pod"))
        }
    }
}

fn itself(pod: &Workload, address: SocketAddr, headless: Option<&Arc<Service>>) -> Step {
    let pod = of_workload(pod);
    let own = format!("{address} is {pod} itself");
    let Some(service) = headless else {
        return Step::new(TOPIC, own).by(pod, "status.podIPs");
    };
    let object = of_service(service);
    let pods = counted(service.endpoints.len(), "pod");
    let says = format!("{object} is headless: its name means the addresses of its {pods}; {own}");
    Step::new(TOPIC, says).by(object, "spec.clusterIP: None")
}

fn by_port(service: &Service, address: SocketAddr) -> Step {
    let object = of_service(service);
    let Some(port) = service.port(address.port()) else {
        let ports = service.ports.iter().map(|port| port.number.to_string());
        let ports = ports.collect::<Vec<_>>().join(", ");
        let says = format!("{object} has no TCP port {}; it has {ports}", address.port());
        return Step::new(TOPIC, says).by(object, "spec.ports").amiss_if(true);
    };
    let (host, field) = if service.external.is_some() {
        let host = service.name.name.trim_end_matches('.');
        (format!(", host {host}"), "spec.addresses or status.addresses")
    } else {
        (String::new(), "spec.clusterIPs")
    };
    let says = format!("{address} is {} of {object}{host}", named(port));
    Step::new(TOPIC, says).by(object, field)
}

fn named(port: &ServicePort) -> String {
    match port.name.as_str() {
        "" => format!("port {}", port.number),
        name => format!("port {} ({name})", port.number),
    }
}

/// What a step is about that says what is dialled.
pub(super) const TOPIC: &str = "address";
