//! ServiceEntries: each of their hosts is a Service
//! (Istio `pilot/pkg/serviceregistry/ambient/services.go`).
//!
//! What one must fulfil by itself is `service_hosts`'s; its endpoints are `service_endpoints`'s.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::IpAddr,
    sync::Arc,
};

use crate::{
    mesh::{
        address::IpBlock,
        binding::{Binding, Refusal, RefusalReason},
        condition::{Condition, WAYPOINT_MISSING},
        external::{External, INERT, NO_WAYPOINT, inert, is_wildcard, service_name},
        label::Labels,
        object::{ObjectName, ObjectRef},
        report::Report,
        service::Service,
    },
    sync::{
        finding::{error, notice, warning},
        service_entry::{Resolution, ServiceEntry},
    },
};

use super::{
    bindings, distribution,
    endpoints::Sources,
    meta, remarks,
    routes::Services,
    scene::{Scene, fail_mode},
    service_endpoints::Around,
    service_hosts, workload_entries,
};

/// Adds the hosts of ServiceEntries to the Services. Where a host is a Kubernetes Service of the
/// namespace that keeps it; of several ServiceEntries the oldest has it.
pub(super) fn translate(
    scene: &Scene<'_>,
    sources: &Sources<'_>,
    services: &mut Services,
    report: &mut Report,
) {
    let mut taken = Taken::of(scene, services);
    let around = Around::new(scene.objects, sources);
    for (name, declared) in in_order(scene) {
        let object = ObjectRef::new("ServiceEntry", name.clone());
        let entry = Entry::read(scene, &object, declared, report);
        for host in &declared.spec.hosts {
            let Some(service) = entry.host(host, &around, &taken, report) else { continue };
            taken.add(&object, &service, report);
            services.insert(service.name.clone(), service);
        }
    }
}

/// The ServiceEntries, the oldest first; those of unknown age last.
fn in_order<'a>(scene: &Scene<'a>) -> Vec<(&'a ObjectName, &'a Arc<ServiceEntry>)> {
    let mut all: Vec<_> = scene.objects.service_entries.iter().collect();
    all.sort_by_key(|(_, declared)| {
        let created = declared.metadata.creation_timestamp.as_ref();
        let created = created.map(|time| time.0.as_second());
        (created.is_none(), created)
    });
    all
}

/// Hosts and addresses that are somebody's.
struct Taken {
    /// Host names of Kubernetes Services, by namespace.
    in_cluster: HashSet<(String, String)>,
    /// Who has a Service name.
    hosts: BTreeMap<ObjectName, ObjectRef>,
    addresses: HashMap<IpAddr, ObjectRef>,
    ranges: HashMap<IpBlock, ObjectRef>,
}

impl Taken {
    /// What Kubernetes Services have.
    fn of(scene: &Scene<'_>, services: &Services) -> Self {
        let mut taken = Self {
            in_cluster: HashSet::new(),
            hosts: BTreeMap::new(),
            addresses: HashMap::new(),
            ranges: HashMap::new(),
        };
        if scene.objects.service_entries.is_empty() {
            return taken;
        }
        for service in services.values() {
            let object = ObjectRef::new("Service", service.name.clone());
            let host = service.host(&scene.settings.cluster_domain);
            taken.in_cluster.insert((service.name.namespace.clone(), host));
            for vip in &service.vips {
                taken.addresses.entry(*vip).or_insert_with(|| object.clone());
            }
        }
        taken
    }

    /// Notes what a host has, and tells of addresses that others have.
    fn add(&mut self, object: &ObjectRef, service: &Service, report: &mut Report) {
        self.hosts.insert(service.name.clone(), object.clone());
        for vip in &service.vips {
            let owner = self.addresses.entry(*vip).or_insert_with(|| object.clone());
            if owner != object {
                report.add(object.clone(), remarks::address_taken(vip, owner));
            }
        }
        for range in service.ranges() {
            let owner = self.ranges.entry(*range).or_insert_with(|| object.clone());
            if owner != object {
                report.add(object.clone(), remarks::address_taken(range, owner));
            }
        }
    }
}

/// A ServiceEntry, as far as all of its hosts share it.
struct Entry<'a> {
    object: &'a ObjectRef,
    declared: &'a ServiceEntry,
    private: bool,
    /// What every host looks like.
    model: Service,
}

impl<'a> Entry<'a> {
    fn read(
        scene: &Scene<'_>,
        object: &'a ObjectRef,
        declared: &'a ServiceEntry,
        report: &mut Report,
    ) -> Self {
        let namespace = &object.name.namespace;
        let labels: &Labels = meta::labels(&declared.metadata);
        let inherited = scene.namespace_labels(namespace);
        remarks::labels(object, &declared.metadata, Some(inherited), report);
        let private = is_private(&declared.spec.export_to, namespace);
        let binding = scene.mesh().for_service(namespace, labels);
        let binding = if private { at_home(binding, namespace) } else { binding };
        let (ports, udp) = service_hosts::tcp_ports(&declared.spec);
        for port in udp {
            report.add(object.clone(), notice("NotTcp", format!("port {port}/UDP is left alone")));
        }
        for (index, endpoint) in declared.spec.endpoints.iter().enumerate() {
            let field = format!("spec.endpoints[{index}]");
            workload_entries::tell_unsupported(object, &field, endpoint, report);
        }
        let mut model = Service {
            labels: labels.clone(),
            ports,
            binding,
            distribution: distribution::annotated(scene, object, &declared.metadata, report),
            fail_mode: fail_mode(object, meta::annotations(&declared.metadata), report),
            ..Service::new(object.name.clone())
        };
        let refused = bindings::canary(scene, &declared.metadata, &mut model);
        if let Some(refusal) = &refused {
            report.add(object.clone(), warning(refusal.reason(), bindings::not_attached(refusal)));
        }
        if let Some(condition) = bindings::condition(&model.binding, "", refused.as_ref()) {
            report.set(object.clone(), condition);
        }
        Self { object, declared, private, model }
    }

    /// One of its hosts as a Service, unless somebody else has it or it means nothing.
    fn host(
        &self,
        host: &str,
        around: &Around<'_>,
        taken: &Taken,
        report: &mut Report,
    ) -> Option<Service> {
        let namespace = &self.object.name.namespace;
        let name = service_name(namespace, host);
        let plain = host.trim_end_matches('.').to_ascii_lowercase();
        let mut refuse = |reason, message| report.add(self.object.clone(), error(reason, message));
        if taken.in_cluster.contains(&(namespace.clone(), plain.clone())) {
            refuse("HostTaken", format!("host {host} is a Kubernetes Service's, which keeps it"));
            return None;
        }
        if let Some(owner) = taken.hosts.get(&name) {
            refuse("HostTaken", format!("host {host} is {owner}'s, which is older"));
            return None;
        }
        if is_wildcard(host) && self.model.binding.waypoint().is_none() {
            refuse(NO_WAYPOINT, inert(&plain));
            let condition = Condition::new(WAYPOINT_MISSING, true, NO_WAYPOINT, INERT);
            report.set(self.object.clone(), condition);
            return None;
        }
        let found = around.find(namespace, host, self.declared);
        let (vips, ranges) = service_hosts::addresses(self.declared, host);
        let resolution = found.resolution;
        let (entry, private) = (self.object.name.clone(), self.private);
        let external = External { entry, ranges, resolution, private };
        let service = Service {
            name,
            external: Some(external),
            vips,
            endpoints: found.endpoints,
            ..self.model.clone()
        };
        self.tell(host, &service, report);
        Some(service)
    }

    /// Tells of what clients cannot reach.
    fn tell(&self, host: &str, service: &Service, report: &mut Report) {
        if self.declared.spec.resolution == Resolution::DynamicDns {
            let message = "spec.resolution: DYNAMIC_DNS is not supported yet; its requests are \
                           answered with 503";
            report.add(self.object.clone(), error("UnsupportedResolution", message));
        }
        if service.is_headless() {
            let message = format!(
                "host {host} has neither spec.addresses nor status.addresses: it needs DNS \
                 capture, which is not supported yet; connections to it are left alone"
            );
            report.add(self.object.clone(), warning("NeedsDnsCapture", message));
        }
    }
}

/// Whether only the namespace itself may use it.
fn is_private(export_to: &[String], namespace: &str) -> bool {
    !export_to.is_empty() && export_to.iter().all(|to| to == "." || to == namespace)
}

/// A binding to a waypoint of the namespace; to another it is forbidden.
fn at_home(binding: Binding, namespace: &str) -> Binding {
    match binding {
        Binding::Bound(waypoint) if waypoint.namespace != namespace => {
            let reason = RefusalReason::CrossNamespaceWaypointForbidden;
            Binding::Refused(Refusal { waypoint, reason })
        }
        other => other,
    }
}
