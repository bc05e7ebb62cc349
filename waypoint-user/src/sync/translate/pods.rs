//! Pods to workloads.
//!
//! It chooses nothing: enrolment and binding are `select`'s.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    net::IpAddr,
    sync::Arc,
};

use k8s_openapi::api::core::v1::Pod;

use crate::{
    mesh::{
        binding::{Binding, FailMode},
        label::{NETNS, SIDECAR_STATUS},
        object::{ObjectName, ObjectRef},
        report::Report,
        spiffe::SpiffeId,
        workload::{Admission, Enrolment, MutualTls, NetnsRef, Transport, Workload, WorkloadKind},
    },
    select::{self, enrolment, instance_of},
    sync::finding::{error, notice},
};

use super::{
    before::{Again, Before, Pods, Said},
    gateways,
    invalid::Invalid,
    meta, remarks,
    scene::Scene,
};

/// Workloads by name.
pub(super) type Workloads = BTreeMap<ObjectName, Arc<Workload>>;

/// The workloads: pods that have an address and have not ended; and what was said of each.
pub(super) fn translate(
    scene: &Scene<'_>,
    before: Option<&Before>,
    report: &mut Report,
) -> (Workloads, Said) {
    let mut before = before.and_then(|before| Pods::new(scene, before));
    let mut owners: HashMap<IpAddr, &ObjectName> = HashMap::new();
    let mut said = Said::new();
    let workloads = scene.objects.pods.iter().filter_map(|(name, pod)| {
        let again = before.as_mut().map_or(Again::Changed, |before| before.again(name, pod));
        let (workload, told) = match again {
            Again::Same(workload, told) => (workload, told.cloned()),
            Again::Changed => {
                let mut told = Report::default();
                let object = ObjectRef::new("Pod", name.clone());
                let workload = workload(scene, &object, pod, &mut told).map(Arc::new);
                (workload, Some(told).filter(|told| !told.is_empty()))
            }
        };
        if let Some(told) = told {
            report.absorb(&told);
            said.insert(name.clone(), told);
        }
        let workload = workload?;
        for address in workload.addresses.iter().filter(|_| !workload.host_network) {
            match owners.entry(*address) {
                Entry::Occupied(owner) => {
                    let owner = ObjectRef::new("Pod", (*owner.get()).clone());
                    let object = ObjectRef::new("Pod", name.clone());
                    report.add(object, remarks::address_taken(address, &owner));
                }
                Entry::Vacant(free) => drop(free.insert(name)),
            }
        }
        Some((name.clone(), workload))
    });
    (workloads.collect(), said)
}

/// The pod's addresses: at most one of each family.
pub(super) fn addresses(pod: &Pod) -> Result<Vec<IpAddr>, Invalid> {
    let Some(status) = &pod.status else { return Ok(Vec::new()) };
    let listed = status.pod_ips.iter().flatten().map(|one| one.ip.as_str());
    let mut addresses: Vec<IpAddr> = Vec::new();
    for text in listed.chain(status.pod_ip.as_deref()).filter(|text| !text.is_empty()) {
        let address: IpAddr = text
            .parse()
            .map_err(|_| Invalid::field("status.podIPs", format!("{text:?} is not an address")))?;
        let known = addresses.iter().any(|known| known.is_ipv4() == address.is_ipv4());
        if !known {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

fn workload(
    scene: &Scene<'_>,
    object: &ObjectRef,
    pod: &Pod,
    report: &mut Report,
) -> Option<Workload> {
    let name = &object.name;
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    if let Some(phase @ ("Succeeded" | "Failed")) = phase {
        remarks::tell(object, "Ended", format!("its phase is {phase}; it is left out"), report);
        return None;
    }
    let addresses = addresses(pod).unwrap_or_default();
    if addresses.is_empty() {
        let message = "it has no status.podIPs and is left out until it has";
        report.add(object.clone(), notice("NoAddress", message));
        return None;
    }
    let labels = meta::labels(&pod.metadata);
    let namespace_labels = scene.namespace_labels(&name.namespace);
    remarks::labels(object, &pod.metadata, Some(namespace_labels), report);
    let (gateway, enrolment) = stance(scene, name, pod);
    let identity = identity(scene, name, pod);
    let account = ObjectName::new(&name.namespace, &identity.service_account);
    let binding = match scene.mesh().for_workload(&name.namespace, labels, gateway.is_some()) {
        Binding::Direct => {
            scene.mesh().for_workload_by_account(labels, &account, gateway.is_some())
        }
        by_label => by_label,
    };
    Some(Workload {
        name: name.clone(),
        kind: WorkloadKind::Pod,
        uid: uid(name, pod),
        node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default(),
        locality: None,
        labels: labels.clone(),
        identity: Arc::new(identity),
        addresses,
        ready: is_ready(pod),
        enrolment,
        host_network: is_of_host(pod),
        instance_of: gateway,
        netns: netns(object, pod, enrolment, report),
        owner: owner(name, pod),
        binding,
        transport: transport(enrolment),
        fail_mode: FailMode::Unset,
        fail_closed: false,
        mutual_tls: MutualTls::default(),
        admission: Admission::default(),
    })
}

/// The Gateway that the pod is an instance of, and whether its connections are captured.
fn stance(scene: &Scene<'_>, name: &ObjectName, pod: &Pod) -> (Option<ObjectName>, Enrolment) {
    let labels = meta::labels(&pod.metadata);
    let is_sandwiched = |gateway: &ObjectName| {
        let waypoint = scene.waypoints.get(gateway);
        waypoint.is_some_and(|waypoint| waypoint.inbound_binding.is_some())
    };
    let gateway = instance_of(&name.namespace, labels, |gateway| {
        is_sandwiched(gateway)
            || (scene.waypoints.contains_key(gateway)
                && gateways::has_instances(scene.objects, gateway))
    });
    let traits = select::Pod {
        namespace: &name.namespace,
        namespace_labels: scene.namespace_labels(&name.namespace),
        labels,
        host_network: is_of_host(pod),
        sidecar: meta::annotations(&pod.metadata).contains_key(SIDECAR_STATUS),
        // Where something terminates HBONE in front of it, that is the agent, as for any pod.
        waypoint: gateway.as_ref().is_some_and(|gateway| !is_sandwiched(gateway)),
    };
    let enrolment = enrolment(&traits, &scene.settings.excluded_namespaces);
    (gateway, enrolment)
}

/// Whether it shares the node's network.
fn is_of_host(pod: &Pod) -> bool {
    pod.spec.as_ref().and_then(|spec| spec.host_network).unwrap_or_default()
}

/// The object's own uid; manifests that nobody stored have none, and pods go by their names.
fn uid(name: &ObjectName, pod: &Pod) -> Arc<str> {
    let own = pod.metadata.uid.as_deref().map(Arc::from);
    own.unwrap_or_else(|| format!("{CLUSTER}//Pod/{name}").into())
}

/// Enrolled pods have an agent beside them, and waypoints speak HBONE themselves.
fn transport(enrolment: Enrolment) -> Transport {
    match enrolment {
        Enrolment::Enrolled | Enrolment::Waypoint => Transport::Hbone,
        _ => Transport::Plain,
    }
}

fn identity(scene: &Scene<'_>, name: &ObjectName, pod: &Pod) -> SpiffeId {
    let account = pod.spec.as_ref().and_then(|spec| spec.service_account_name.clone());
    SpiffeId {
        trust_domain: scene.settings.trust_domain.clone(),
        namespace: name.namespace.clone(),
        service_account: account
            .filter(|account| !account.is_empty())
            .unwrap_or_else(|| DEFAULT_ACCOUNT.to_owned()),
    }
}

/// Ready, and not being deleted; a manifest that says nothing of conditions is of a pod that runs.
fn is_ready(pod: &Pod) -> bool {
    if pod.metadata.deletion_timestamp.is_some() {
        return false;
    }
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_none_or(|conditions| {
        conditions.iter().any(|one| one.type_ == "Ready" && one.status == "True")
    })
}

/// Where the pod's network namespace is.
fn netns(
    object: &ObjectRef,
    pod: &Pod,
    enrolment: Enrolment,
    report: &mut Report,
) -> Option<NetnsRef> {
    let Some(text) = meta::annotations(&pod.metadata).get(NETNS) else {
        // A stored pod is found by its uid, by the agent of its node.
        if enrolment == Enrolment::Enrolled && pod.metadata.uid.is_none() {
            let message =
                format!("no annotation {NETNS}, and no uid: its connections are not captured here");
            report.add(object.clone(), notice("NetnsUnknown", message));
        }
        return None;
    };
    let netns = NetnsRef::parse(text);
    if netns.is_none() {
        let message = format!("annotation {NETNS}: {text:?} is no name, /path or pid:N");
        report.add(object.clone(), error("InvalidNetns", message));
    }
    netns
}

/// What owns the pod: a ReplicaSet's Deployment, another owner, or the pod itself.
fn owner(name: &ObjectName, pod: &Pod) -> String {
    let owners = pod.metadata.owner_references.as_deref().unwrap_or_default();
    let owner = owners.iter().find(|owner| owner.controller == Some(true)).or(owners.first());
    let Some(owner) = owner else { return name.name.clone() };
    if owner.kind == "ReplicaSet" {
        let hash = meta::labels(&pod.metadata).get("pod-template-hash");
        let deployment = match hash {
            Some(hash) => owner.name.strip_suffix(hash).and_then(|rest| rest.strip_suffix('-')),
            None => owner.name.rsplit_once('-').map(|(deployment, _)| deployment),
        };
        return deployment.unwrap_or(&owner.name).to_owned();
    }
    owner.name.clone()
}

/// The service account of pods that name none.
const DEFAULT_ACCOUNT: &str = "default";

/// The cluster's name where none is configured, as Istio has it.
const CLUSTER: &str = "Kubernetes";
