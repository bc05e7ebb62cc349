//! WorkloadEntries to workloads.
//!
//! Which Services they are endpoints of is `endpoints`'s and `service_entries`'s.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use crate::{
    mesh::{
        object::ObjectRef,
        report::Report,
        spiffe::SpiffeId,
        workload::{Locality, Transport, Workload, WorkloadKind},
    },
    sync::{
        finding::{error, notice},
        workload_entry::{Spec, WorkloadEntry},
    },
};

use super::{bindings, invalid::Invalid, meta, pods::Workloads, remarks, scene::Scene};

/// Adds the WorkloadEntries to the workloads. Where a pod has the name, the pod keeps it.
pub(super) fn translate(scene: &Scene<'_>, workloads: &mut Workloads, report: &mut Report) {
    let mut owners: HashMap<IpAddr, ObjectRef> = HashMap::new();
    if !scene.objects.workload_entries.is_empty() {
        for pod in workloads.values().filter(|pod| !pod.host_network) {
            let object = ObjectRef::new("Pod", pod.name.clone());
            owners.extend(pod.addresses.iter().map(|address| (*address, object.clone())));
        }
    }
    for (name, declared) in &scene.objects.workload_entries {
        let object = ObjectRef::new("WorkloadEntry", name.clone());
        if workloads.contains_key(name) {
            let message = "a pod of the namespace has this name; it is left out";
            report.add(object, error("NameTaken", message));
            continue;
        }
        let workload = workload(scene, &object, declared, report);
        if let Some(condition) = bindings::condition(&workload.binding, "", None) {
            report.set(object.clone(), condition);
        }
        for address in &workload.addresses {
            match owners.get(address) {
                Some(owner) => report.add(object.clone(), remarks::address_taken(address, owner)),
                None => drop(owners.insert(*address, object.clone())),
            }
        }
        workloads.insert(name.clone(), Arc::new(workload));
    }
}

/// What an entry must fulfil by itself, as an object and as an endpoint of a ServiceEntry.
pub(super) fn check(spec: &Spec) -> Result<(), Invalid> {
    match Address::parse(&spec.address) {
        Some(_) => {}
        None if spec.address.is_empty() => return Err(Invalid::new("address is empty")),
        None => {
            let message = format!("{:?} is neither an IP address nor a host name", spec.address);
            return Err(Invalid::field("address", message));
        }
    }
    if u32::try_from(spec.weight).is_err() {
        let message = format!("{} is not between 0 and {}", spec.weight, u32::MAX);
        return Err(Invalid::field("weight", message));
    }
    let mut ports = spec.ports.values();
    ports
        .try_for_each(|port| meta::port(*port).map(drop))
        .map_err(|cause| Invalid::field("ports", cause))
}

/// What an entry weighs next to its fellows; where it does not say, it counts as one.
pub(super) fn weight(spec: &Spec) -> u32 {
    u32::try_from(spec.weight).map_or(1, |weight| weight.max(1))
}

/// What an entry's address can be.
pub(super) enum Address<'a> {
    /// An address.
    Ip(IpAddr),
    /// A name that leads to some.
    Name(&'a str),
}

impl<'a> Address<'a> {
    /// Reads an address; a socket of Unix, which Istio's sidecars dial, is none here.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        if let Ok(address) = text.parse() {
            return Some(Self::Ip(address));
        }
        is_host(text).then_some(Self::Name(text))
    }
}

/// Whether a text is a host name without a wildcard (RFC 1123 section 2.1).
pub(super) fn is_host(text: &str) -> bool {
    let host = text.strip_suffix('.').unwrap_or(text);
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_label = |label: &str| {
        let edges = !label.starts_with('-') && !label.ends_with('-');
        (1..=63).contains(&label.len()) && label.bytes().all(inner) && edges
    };
    host.len() <= 253 && host.split('.').all(is_label)
}

fn workload(
    scene: &Scene<'_>,
    object: &ObjectRef,
    declared: &WorkloadEntry,
    report: &mut Report,
) -> Workload {
    let (name, spec) = (&object.name, &declared.spec);
    let inherited = scene.namespace_labels(&name.namespace);
    remarks::labels(object, &declared.metadata, Some(inherited), report);
    tell_unsupported(object, "spec", spec, report);
    let mut labels = meta::labels(&declared.metadata).clone();
    labels.extend(spec.labels.clone());
    let own = declared.metadata.uid.as_deref().map(Arc::from);
    let uid = || format!("Kubernetes/networking.istio.io/WorkloadEntry/{name}").into();
    let tunnels = labels.get(TUNNEL).is_some_and(|protocol| protocol == "http");
    let addresses = match Address::parse(&spec.address) {
        Some(Address::Ip(address)) => vec![address.to_canonical()],
        Some(Address::Name(_)) | None => Vec::new(),
    };
    Workload {
        kind: WorkloadKind::Entry,
        uid: own.unwrap_or_else(uid),
        locality: Some(locality(&spec.locality)),
        identity: Arc::new(identity(scene, &name.namespace, &spec.service_account)),
        addresses,
        binding: scene.mesh().for_workload(&name.namespace, &labels, false),
        transport: if tunnels { Transport::Hbone } else { Transport::Plain },
        labels,
        ..Workload::new(name.clone())
    }
}

/// Tells of fields that do nothing yet.
pub(super) fn tell_unsupported(object: &ObjectRef, field: &str, spec: &Spec, report: &mut Report) {
    if !spec.network.is_empty() {
        let message = format!("{field}.network: its address is dialled from here all the same");
        report.add(object.clone(), notice("OtherNetwork", message));
    }
}

/// `region/zone/subzone`, as far as it is said.
fn locality(text: &str) -> Locality {
    let mut parts = text.split('/').map(str::to_owned);
    let mut next = || parts.next().unwrap_or_default();
    Locality { region: next(), zone: next() }
}

fn identity(scene: &Scene<'_>, namespace: &str, account: &str) -> SpiffeId {
    let account = if account.is_empty() { "default" } else { account };
    SpiffeId::new(&scene.settings.trust_domain, namespace, account)
}

/// Label of what speaks HBONE by itself (Istio `api/label/labels.yaml`).
const TUNNEL: &str = "networking.istio.io/tunnel";
