//! Endpoints of Services: from their EndpointSlices, or where there are none from their selector.
//!
//! It judges no health but readiness.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::Arc,
};

use k8s_openapi::{
    api::{
        core::v1::{Pod, Service as Declared},
        discovery::v1::{Endpoint as Listed, EndpointSlice},
    },
    apimachinery::pkg::util::intstr::IntOrString,
};

use crate::{
    mesh::{
        label::{Labels, SERVICE_NAME, Selector},
        object::{ObjectName, ObjectRef},
        report::Report,
        service::{Endpoint, Service},
        workload::{Workload, WorkloadKind},
    },
    sync::{finding::notice, objects::Objects, workload_entry},
};

use super::{meta, pods::Workloads, ports, workload_entries};

/// Where endpoints come from, sorted once so that no Service has to look at all of it.
pub(super) struct Sources<'a> {
    objects: &'a Objects,
    workloads: &'a Workloads,
    /// EndpointSlices by the Service they belong to.
    slices: BTreeMap<ObjectName, Vec<&'a EndpointSlice>>,
    /// Every workload, where slices do not tell of every Service which pods are its endpoints.
    labelled: Labelled<'a>,
    /// WorkloadEntries, of which they do not.
    entries: Labelled<'a>,
}

/// Workloads by namespace, label key and label value.
type Labelled<'a> = HashMap<(&'a str, &'a str, &'a str), Vec<&'a Workload>>;

impl<'a> Sources<'a> {
    /// Sorts them; a slice that belongs to no Service or holds no addresses is told of.
    pub(super) fn new(objects: &'a Objects, workloads: &'a Workloads, report: &mut Report) -> Self {
        let kept = objects.workload_entries.keys().filter_map(|name| workloads.get(name));
        let kept = kept.map(Arc::as_ref);
        let entries = labelled(kept.filter(|one| one.kind == WorkloadKind::Entry));
        let slices = slices(objects, report);
        let of_services = objects.services.iter().filter(|(name, _)| !slices.contains_key(name));
        let mut selectors = of_services.filter_map(|(_, one)| one.spec.as_ref()?.selector.as_ref());
        let mut outside = objects.service_entries.values();
        let is_asked = selectors.any(|selector| !selector.is_empty())
            || outside.any(|entry| entry.spec.workload_selector.is_some());
        let labelled = if is_asked {
            labelled(workloads.values().map(Arc::as_ref))
        } else {
            Labelled::default()
        };
        Self { objects, workloads, slices, labelled, entries }
    }

    /// The endpoints of a Service.
    pub(super) fn endpoints(&self, service: &Service, declared: &Declared) -> Vec<Endpoint> {
        let slices = self.slices.get(&service.name);
        let mut endpoints =
            slices.map(|slices| from_slices(slices, service, self.workloads)).unwrap_or_default();
        let wanted = declared.spec.as_ref().and_then(|spec| spec.selector.as_ref());
        // Slices hold pods only; a Service selects WorkloadEntries beside them.
        let among = if slices.is_some() { &self.entries } else { &self.labelled };
        for workload in selected(among, &service.name.namespace, wanted) {
            let ports = self.ports(declared, workload);
            let weight = self.weight(workload);
            let addresses = workload.addresses.iter();
            endpoints.extend(addresses.filter(|address| is_of_family(service, address)).map(
                |address| Endpoint {
                    address: *address,
                    workload: Some(workload.name.clone()),
                    ports: ports.clone(),
                    ready: workload.ready || publishes_unready(declared),
                    weight,
                },
            ));
        }
        endpoints
    }

    /// The workloads of a namespace with these labels; without any label none.
    pub(super) fn selected(&self, namespace: &str, wanted: Option<&Labels>) -> Vec<&'a Workload> {
        selected(&self.labelled, namespace, wanted)
    }

    /// Every workload.
    pub(super) fn workloads(&self) -> impl Iterator<Item = &'a Workload> {
        self.workloads.values().map(Arc::as_ref)
    }

    /// Every workload, by name.
    pub(super) fn by_name(&self) -> &'a Workloads {
        self.workloads
    }

    /// What a WorkloadEntry says.
    pub(super) fn entry(&self, workload: &Workload) -> Option<&'a workload_entry::Spec> {
        let is_entry = workload.kind == WorkloadKind::Entry;
        let entry = self.objects.workload_entries.get(&workload.name).filter(|_| is_entry);
        entry.map(|entry| &entry.spec)
    }

    /// What a workload weighs as an endpoint; a pod counts as one.
    pub(super) fn weight(&self, workload: &Workload) -> u32 {
        self.entry(workload).map_or(1, workload_entries::weight)
    }

    /// For each port of a Service, where a workload takes it.
    fn ports(&self, declared: &Declared, workload: &Workload) -> Vec<(u16, u16)> {
        if let Some(entry) = self.entry(workload) {
            return ports_by(declared, |name| named(entry, name), |port| named(entry, port));
        }
        let pod = self.objects.pods.get(&workload.name).map(AsRef::as_ref);
        pod.map(|pod| ports_by(declared, |name| named_port(pod, name), |_| None))
            .unwrap_or_default()
    }
}

/// Sorts workloads.
fn labelled<'a>(workloads: impl Iterator<Item = &'a Workload>) -> Labelled<'a> {
    let mut labelled: Labelled<'a> = HashMap::new();
    for workload in workloads {
        for (key, value) in &workload.labels {
            let label = (workload.name.namespace.as_str(), key.as_str(), value.as_str());
            labelled.entry(label).or_default().push(workload);
        }
    }
    labelled
}

/// Those of a namespace with these labels; without any label none.
fn selected<'a>(
    among: &Labelled<'a>,
    namespace: &str,
    wanted: Option<&Labels>,
) -> Vec<&'a Workload> {
    let first = wanted
        .and_then(BTreeMap::first_key_value)
        .and_then(|(key, value)| among.get(&(namespace, key.as_str(), value.as_str())));
    let Some(candidates) = first else { return Vec::new() };
    let selector = wanted.map(Selector::equals).unwrap_or_default();
    candidates.iter().copied().filter(|one| selector.matches(&one.labels)).collect()
}

/// Where a WorkloadEntry takes the port of this name.
fn named(entry: &workload_entry::Spec, name: &str) -> Option<u16> {
    entry.ports.get(name).and_then(|port| meta::port(*port).ok())
}

/// EndpointSlices by the Service they belong to.
fn slices<'a>(
    objects: &'a Objects,
    report: &mut Report,
) -> BTreeMap<ObjectName, Vec<&'a EndpointSlice>> {
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
    slices
}

/// What slices list, each address once: while an endpoint moves, two slices may have it.
fn from_slices(
    slices: &[&EndpointSlice],
    service: &Service,
    workloads: &Workloads,
) -> Vec<Endpoint> {
    let mut endpoints: BTreeMap<IpAddr, Endpoint> = BTreeMap::new();
    for slice in slices {
        let ports = slice_ports(service, slice);
        let listed = slice.endpoints.iter().flatten();
        let addresses = listed.flat_map(|listed| {
            let parsed = listed.addresses.iter().filter_map(|text| text.parse().ok());
            parsed.map(move |address| (address, listed))
        });
        for (address, listed) in addresses {
            let endpoint = endpoints.entry(address).or_insert_with(|| Endpoint {
                address,
                workload: workload_of(listed, service, workloads),
                ports: Vec::new(),
                ready: false,
                weight: 1,
            });
            endpoint.ready |= is_ready(listed);
            let new = ports.iter().filter(|port| !endpoint.ports.contains(port));
            let new: Vec<_> = new.copied().collect();
            endpoint.ports.extend(new);
        }
    }
    endpoints.into_values().collect()
}

/// An endpoint of which nothing is said is ready (EndpointConditions).
fn is_ready(listed: &Listed) -> bool {
    listed.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true)
}

/// The pod that an endpoint names, if it is one that we know.
fn workload_of(listed: &Listed, service: &Service, workloads: &Workloads) -> Option<ObjectName> {
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

/// For each port of the Service, where a workload takes it: where `own` says for the port's own
/// name, else at its target port; a name that `by_name` does not know is nowhere.
fn ports_by(
    declared: &Declared,
    by_name: impl Fn(&str) -> Option<u16>,
    own: impl Fn(&str) -> Option<u16>,
) -> Vec<(u16, u16)> {
    let listed = declared.spec.iter().flat_map(|spec| spec.ports.iter().flatten());
    let tcp = listed.filter(|port| ports::is_tcp(port.protocol.as_deref()));
    tcp.filter_map(|port| {
        let number = meta::port(port.port).ok()?;
        let target = match (own(port.name.as_deref().unwrap_or_default()), &port.target_port) {
            (Some(own), _) => own,
            (None, None) => number,
            (None, Some(IntOrString::Int(target))) => meta::port(*target).ok()?,
            (None, Some(IntOrString::String(name))) => by_name(name)?,
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
