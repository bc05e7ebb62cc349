//! Services.
//!
//! Their endpoints are `endpoints`'s, their waypoints `bindings`'s; `closed` completes their fail
//! mode.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

use k8s_openapi::api::core::v1::{Service as Declared, ServiceSpec};

use crate::{
    mesh::{
        binding::Binding,
        label::USE_WAYPOINT,
        object::{ObjectName, ObjectRef},
        report::Report,
        service::{Service, ServicePort},
    },
    sync::finding::{notice, warning},
};

use super::{
    bindings, distribution,
    endpoints::Sources,
    invalid::Invalid,
    meta, ports, remarks,
    scene::{Scene, fail_mode},
};

/// The Services, but for those that are only another name.
pub(super) fn translate(
    scene: &Scene<'_>,
    sources: &Sources<'_>,
    report: &mut Report,
) -> BTreeMap<ObjectName, Service> {
    let mut services = BTreeMap::new();
    let mut owners: HashMap<IpAddr, ObjectRef> = HashMap::new();
    for (name, declared) in &scene.objects.services {
        let object = ObjectRef::new("Service", name.clone());
        let Some(mut service) = service(scene, &object, declared, report) else { continue };
        for vip in &service.vips {
            match owners.get(vip) {
                Some(owner) => report.add(object.clone(), remarks::address_taken(vip, owner)),
                None => drop(owners.insert(*vip, object.clone())),
            }
        }
        service.endpoints = sources.endpoints(&service, declared);
        bindings::bind(scene, (&object, declared), &mut service, sources.by_name(), report);
        services.insert(name.clone(), service);
    }
    services
}

/// The virtual addresses of a Service; none if it is headless.
pub(super) fn vips(spec: &ServiceSpec) -> Result<Vec<IpAddr>, Invalid> {
    let listed = spec.cluster_ips.iter().flatten().map(String::as_str);
    let mut vips = Vec::new();
    for text in listed.chain(spec.cluster_ip.as_deref()) {
        if text.is_empty() || text == HEADLESS {
            continue;
        }
        let vip = text.parse::<IpAddr>().map_err(|_| {
            Invalid::field("spec.clusterIPs", format!("{text:?} is not an address"))
        })?;
        if !vips.contains(&vip) {
            vips.push(vip);
        }
    }
    Ok(vips)
}

fn service(
    scene: &Scene<'_>,
    object: &ObjectRef,
    declared: &Declared,
    report: &mut Report,
) -> Option<Service> {
    let name = &object.name;
    let unsaid = ServiceSpec::default();
    let spec = declared.spec.as_ref().unwrap_or(&unsaid);
    if spec.type_.as_deref() == Some("ExternalName") {
        let message = "type ExternalName: it has no address; its traffic meets no waypoint";
        let labelled = meta::labels(&declared.metadata).contains_key(USE_WAYPOINT);
        report.add(
            object.clone(),
            if labelled {
                let then = "take a ServiceEntry of that host, and label it";
                warning("ExternalName", format!("{message}; {then}"))
            } else {
                notice("ExternalName", message)
            },
        );
        return None;
    }
    let labels = meta::labels(&declared.metadata);
    let inherited = scene.namespace_labels(&name.namespace);
    remarks::labels(object, &declared.metadata, Some(inherited), report);
    let vips = vips(spec).unwrap_or_default();
    if vips.is_empty() && spec.cluster_ip.as_deref() != Some(HEADLESS) {
        let message = "it has no spec.clusterIPs and counts as headless until it has";
        report.add(object.clone(), warning("NoClusterIP", message));
    }
    Some(Service {
        name: name.clone(),
        external: None,
        labels: labels.clone(),
        vips,
        ports: ports(object, spec, report),
        endpoints: Vec::new(),
        binding: Binding::Direct,
        distribution: distribution::of(scene, object, declared, report),
        canary: None,
        fail_mode: fail_mode(object, meta::annotations(&declared.metadata), report),
        fail_closed: false,
    })
}

/// The TCP ports; others are told of.
fn ports(object: &ObjectRef, spec: &ServiceSpec, report: &mut Report) -> Vec<ServicePort> {
    let mut tcp = Vec::new();
    for declared in spec.ports.iter().flatten() {
        if ports::is_tcp(declared.protocol.as_deref()) {
            tcp.extend(ports::port(declared).ok());
        } else {
            let protocol = declared.protocol.as_deref().unwrap_or_default();
            let message = format!("port {}/{protocol} is left alone", declared.port);
            report.add(object.clone(), notice("NotTcp", message));
        }
    }
    tcp
}

/// The cluster IP of headless Services.
const HEADLESS: &str = "None";
