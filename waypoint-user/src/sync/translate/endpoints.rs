//! Endpoints of Services: from their EndpointSlices, or where there are none from their selector.
//!
//! It judges no health but readiness.

use std::{collections::BTreeMap, net::IpAddr};

use k8s_openapi::{
    api::{
        core::v1::{Pod, Service as Declared},
        discovery::v1::{Endpoint as Listed, EndpointSlice},
    },
    apimachinery::pkg::util::intstr::IntOrString,
};

use crate::{
    mesh::{
        label::{SERVICE_NAME, Selector},
        object::{ObjectName, ObjectRef},
        report::Report,
        service::{Endpoint, Service},
        workload::Workload,
    },
    sync::{finding::notice, objects::Objects},
};

use super::{meta, ports, scene::Scene};

/// EndpointSlices by the Service they belong to.
pub(super) struct Slices<'a>(BTreeMap<ObjectName, Vec<&'a EndpointSlice>>);

impl<'a> Slices<'a> {
    /// Sorts them; one that belongs to no Service or holds no addresses is told of.
    pub(super) fn new(objects: &'a Objects, report: &mut Report) -> Self {
        let mut slices: BTreeMap<ObjectName, Vec<&EndpointSlice>> = BTreeMap::new();
        for (name, slice) in &objects.endpoint_slices {
            let object = ObjectRef::new("EndpointSlice", name.clone());
            let Some(service) = meta::labels(&slice.metadata).get(SERVICE_NAME) else {
                let message = format!("no label {SERVICE_NAME}; it is left out");
                report.add(object, notice("NoService", message));
                continue;
            };
            if slice.address_type == "FQDN" {
                let message = "addressType FQDN is not supported; it is left out";
                report.add(object, notice("Unsupported", message));
                continue;
            }
            let service = ObjectName::new(&name.namespace, service);
            slices.entry(service).or_default().push(slice);
        }
        Self(slices)
    }
}

/// The endpoints of a Service.
pub(super) fn of(
    scene: &Scene<'_>,
    slices: &Slices<'_>,
    service: &Service,
    declared: &Declared,
    workloads: &BTreeMap<ObjectName, Workload>,
) -> Vec<Endpoint> {
    if let Some(slices) = slices.0.get(&service.name) {
        return from_slices(slices, service, workloads);
    }
    let spec = declared.spec.as_ref();
    let Some(selector) =
        spec.and_then(|spec| spec.selector.as_ref()).filter(|selector| !selector.is_empty())
    else {
        return Vec::new();
    };
    let selector = Selector::equals(selector);
    let namespace = service.name.namespace.as_str();
    let mates = workloads
        .range(ObjectName::new(namespace, "")..)
        .take_while(|(name, _)| name.namespace == namespace)
        .map(|(_, workload)| workload);
    let mut endpoints = Vec::new();
    for workload in mates.filter(|workload| selector.matches(&workload.labels)) {
        let pod = scene.objects.pods.get(&workload.name).map(AsRef::as_ref);
        let ports = pod.map(|pod| pod_ports(declared, pod)).unwrap_or_default();
        for address in workload.addresses.iter().filter(|address| is_of_family(service, address)) {
            endpoints.push(Endpoint {
                address: *address,
                workload: Some(workload.name.clone()),
                ports: ports.clone(),
                ready: workload.ready || publishes_unready(declared),
            });
        }
    }
    endpoints
}

/// What slices list, each address once: while an endpoint moves, two slices may have it.
fn from_slices(
    slices: &[&EndpointSlice],
    service: &Service,
    workloads: &BTreeMap<ObjectName, Workload>,
) -> Vec<Endpoint> {
    let mut endpoints: BTreeMap<IpAddr, Endpoint> = BTreeMap::new();
    for slice in slices {
        let ports = slice_ports(service, slice);
        for listed in slice.endpoints.iter().flatten() {
            for address in listed.addresses.iter().filter_map(|text| text.parse().ok()) {
                let endpoint = endpoints.entry(address).or_insert_with(|| Endpoint {
                    address,
                    workload: workload_of(listed, service, workloads),
                    ports: Vec::new(),
                    ready: false,
                });
                endpoint.ready |= is_ready(listed);
                for port in &ports {
                    if !endpoint.ports.contains(port) {
                        endpoint.ports.push(*port);
                    }
                }
            }
        }
    }
    endpoints.into_values().collect()
}

/// An endpoint of which nothing is said is ready (EndpointConditions).
fn is_ready(listed: &Listed) -> bool {
    listed.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true)
}

/// The pod that an endpoint names, if it is one that we know.
fn workload_of(
    listed: &Listed,
    service: &Service,
    workloads: &BTreeMap<ObjectName, Workload>,
) -> Option<ObjectName> {
    let target = listed.target_ref.as_ref().filter(|to| to.kind.as_deref() == Some("Pod"))?;
    let namespace = target.namespace.as_deref().unwrap_or(&service.name.namespace);
    let name = ObjectName::new(namespace, target.name.as_deref()?);
    workloads.contains_key(&name).then_some(name)
}

/// For each port of the Service, the port of the same name in the slice.
fn slice_ports(service: &Service, slice: &EndpointSlice) -> Vec<(u16, u16)> {
    let listed = slice.ports.as_deref().unwrap_or_default();
    let tcp = listed.iter().filter(|port| ports::is_tcp(port.protocol.as_deref()));
    tcp.filter_map(|port| {
        let target = meta::port(port.port?).ok()?;
        let name = port.name.as_deref().unwrap_or_default();
        let declared = service.ports.iter().find(|declared| declared.name == name)?;
        Some((declared.number, target))
    })
    .collect()
}

/// For each port of the Service, where the pod takes it; a name that no container has is nowhere.
fn pod_ports(declared: &Declared, pod: &Pod) -> Vec<(u16, u16)> {
    let listed = declared.spec.iter().flat_map(|spec| spec.ports.iter().flatten());
    let tcp = listed.filter(|port| ports::is_tcp(port.protocol.as_deref()));
    tcp.filter_map(|port| {
        let number = meta::port(port.port).ok()?;
        let target = match &port.target_port {
            None => number,
            Some(IntOrString::Int(target)) => meta::port(*target).ok()?,
            Some(IntOrString::String(name)) => named_port(pod, name)?,
        };
        Some((number, target))
    })
    .collect()
}

/// The container port of this name; digits are a number.
fn named_port(pod: &Pod, name: &str) -> Option<u16> {
    if let Ok(number) = name.parse::<u16>() {
        return meta::port(number).ok();
    }
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    containers
        .flat_map(|container| container.ports.iter().flatten())
        .filter(|port| ports::is_tcp(port.protocol.as_deref()))
        .find(|port| port.name.as_deref() == Some(name))
        .and_then(|port| meta::port(port.container_port).ok())
}

/// Whether the Service speaks the address's family; a headless one speaks both.
fn is_of_family(service: &Service, address: &IpAddr) -> bool {
    service.is_headless() || service.vips.iter().any(|vip| vip.is_ipv4() == address.is_ipv4())
}

/// Whether the Service wants its endpoints used before they are ready.
fn publishes_unready(declared: &Declared) -> bool {
    declared.spec.as_ref().and_then(|spec| spec.publish_not_ready_addresses).unwrap_or_default()
}
