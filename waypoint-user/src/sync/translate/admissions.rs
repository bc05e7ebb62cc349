//! Which connections to a pod are counted or refused because they pass its waypoints by.
//!
//! The nearest annotation counts: the Pod's, that of a Service it is an endpoint of, its
//! Namespace's, that of a Gateway it is bound to; of several on one level the strictest. Without
//! any, connections are counted.
//!
//! **Invariant:** only pods whose connections an agent takes have admission, and only where a
//! waypoint is asked for: otherwise there is nothing that a connection could pass by.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
    sync::Arc,
};

use crate::{
    mesh::{
        binding::Binding,
        label::{ADMISSION, ADMISSION_EXCLUDE_PORTS, Labels},
        object::{ObjectName, ObjectRef},
        report::Report,
        service::Service,
        waypoint::Placement,
        workload::{Admission, AdmissionMode, Enrolment, Workload},
    },
    sync::finding::{error, warning},
};

use super::{meta, pods::Workloads, scene::Scene};

/// Completes workloads; their mutual TLS is known by now.
pub(super) fn apply(
    scene: &Scene<'_>,
    services: &BTreeMap<ObjectName, Service>,
    workloads: &mut Workloads,
    report: &mut Report,
) {
    let place = Place::new(scene, services, workloads, report);
    for workload in workloads.values_mut() {
        let mut admission = place.admission(workload, report);
        admission.mutual_tls = workload.mutual_tls.is_required_everywhere();
        if workload.admission != admission {
            Arc::make_mut(workload).admission = admission;
        }
    }
}

/// What one object says.
#[derive(Clone, Debug, Default)]
struct Wish {
    mode: Option<AdmissionMode>,
    exempt_ports: Option<BTreeSet<u16>>,
}

impl Wish {
    /// What annotations say.
    fn of(object: &ObjectRef, annotations: &Labels, report: &mut Report) -> Self {
        let mode = annotations.get(ADMISSION).and_then(|word| {
            let mode = AdmissionMode::parse(word);
            if mode.is_none() {
                let message =
                    format!("annotation {ADMISSION}: {word:?} is none of count, strict, off");
                report.add(object.clone(), error("InvalidAdmission", message));
            }
            mode
        });
        let exempt_ports = annotations.get(ADMISSION_EXCLUDE_PORTS).map(|text| {
            let listed = text.split(',').map(str::trim).filter(|port| !port.is_empty());
            let (ports, wrong): (Vec<_>, Vec<_>) =
                listed.map(|port| port.parse().map_err(|_| port)).partition(Result::is_ok);
            for port in wrong.into_iter().filter_map(Result::err) {
                let message = format!("annotation {ADMISSION_EXCLUDE_PORTS}: {port:?} is no port");
                report.add(object.clone(), error("InvalidAdmission", message));
            }
            ports.into_iter().filter_map(Result::ok).filter(|port: &u16| *port > 0).collect()
        });
        Self { mode, exempt_ports }
    }

    /// Of two on one level the stricter mode, and the ports of both.
    fn and(self, other: &Self) -> Self {
        let ports = match (self.exempt_ports, &other.exempt_ports) {
            (Some(mine), Some(others)) => Some(mine.union(others).copied().collect()),
            (mine, others) => mine.or_else(|| others.clone()),
        };
        Self { mode: self.mode.max(other.mode), exempt_ports: ports }
    }

    /// Where this says nothing, what the next level says.
    fn or(self, next: &Self) -> Self {
        Self {
            mode: self.mode.or(next.mode),
            exempt_ports: self.exempt_ports.or_else(|| next.exempt_ports.clone()),
        }
    }
}

/// What admission is worked out from.
struct Place<'a> {
    scene: &'a Scene<'a>,
    of_services: BTreeMap<&'a ObjectName, Wish>,
    of_namespaces: BTreeMap<&'a str, Wish>,
    of_gateways: BTreeMap<&'a ObjectName, Wish>,
    /// Services by the pods that are their endpoints.
    serving: HashMap<&'a ObjectName, Vec<&'a Service>>,
    /// Addresses that connections of a waypoint come from.
    sources: BTreeMap<ObjectName, Vec<IpAddr>>,
}

impl<'a> Place<'a> {
    fn new(
        scene: &'a Scene<'a>,
        services: &'a BTreeMap<ObjectName, Service>,
        workloads: &Workloads,
        report: &mut Report,
    ) -> Self {
        let objects = scene.objects;
        let mut wish = |kind: &str, name: &ObjectName, annotations: &Labels| {
            Wish::of(&ObjectRef::new(kind, name.clone()), annotations, report)
        };
        let of_services = objects
            .services
            .iter()
            .map(|(name, one)| (name, wish("Service", name, meta::annotations(&one.metadata))));
        let of_services = of_services.collect();
        let of_namespaces = objects.namespaces.iter().map(|(name, one)| {
            (name.name.as_str(), wish("Namespace", name, meta::annotations(&one.metadata)))
        });
        let of_namespaces = of_namespaces.collect();
        let of_gateways = objects
            .gateways
            .iter()
            .map(|(name, one)| (name, wish("Gateway", name, meta::annotations(&one.metadata))));
        let of_gateways = of_gateways.collect();
        Self {
            scene,
            of_services,
            of_namespaces,
            of_gateways,
            serving: serving(services),
            sources: sources(scene, workloads),
        }
    }

    fn admission(&self, workload: &Workload, report: &mut Report) -> Admission {
        let object = || ObjectRef::new("Pod", workload.name.clone());
        let own = self.scene.objects.pods.get(&workload.name);
        let own = own.map(|pod| meta::annotations(&pod.metadata)).filter(|own| !own.is_empty());
        let own = own.map(|annotations| Wish::of(&object(), annotations, report));
        let services = self.serving.get(&workload.name).map_or(&[][..], Vec::as_slice);
        let bindings = services.iter().map(|service| &service.binding).chain([&workload.binding]);
        let asked: BTreeSet<&ObjectName> = bindings.filter_map(asked_for).collect();
        let canaries = services.iter().filter_map(|one| one.canary.as_ref());
        let waypoints: BTreeSet<&ObjectName> =
            asked.iter().copied().chain(canaries.map(|one| &one.waypoint)).collect();
        let wish = self.nearest(own.unwrap_or_default(), workload, services, &waypoints);
        if workload.enrolment != Enrolment::Enrolled || asked.is_empty() {
            if wish.mode == Some(AdmissionMode::Strict) {
                tell(&object(), workload.enrolment, report);
            }
            return Admission::default();
        }
        let near = |name: &&ObjectName| {
            let waypoint = self.scene.waypoints.get(*name);
            waypoint.is_some_and(|waypoint| waypoint.placement == Placement::Node)
        };
        if let Some(near) = waypoints.iter().find(|name| near(name)) {
            if wish.mode == Some(AdmissionMode::Strict) {
                let message = format!(
                    "waypoint {near} runs on its clients' nodes, so connections of its own cannot \
                     be told from others; nothing is refused"
                );
                report.add(object(), warning("AdmissionImpossible", message));
            }
            return Admission::default();
        }
        let sources = waypoints.iter().filter_map(|name| self.sources.get(*name)).flatten();
        let sources: BTreeSet<IpAddr> = sources.copied().collect();
        Admission {
            mode: wish.mode.unwrap_or(AdmissionMode::Count),
            sources: sources.into_iter().collect(),
            exempt_ports: wish.exempt_ports.unwrap_or_default().into_iter().collect(),
            mutual_tls: false,
        }
    }

    /// What the nearest levels say.
    fn nearest(
        &self,
        own: Wish,
        workload: &Workload,
        services: &[&Service],
        waypoints: &BTreeSet<&ObjectName>,
    ) -> Wish {
        let services = services.iter().filter_map(|service| self.of_services.get(&service.name));
        let services = services.fold(Wish::default(), Wish::and);
        let namespace = self.of_namespaces.get(workload.name.namespace.as_str());
        let gateways = waypoints.iter().filter_map(|name| self.of_gateways.get(name));
        let gateways = gateways.fold(Wish::default(), Wish::and);
        own.or(&services).or(namespace.unwrap_or(&Wish::default())).or(&gateways)
    }
}

/// Services by the pods that are their endpoints.
fn serving(services: &BTreeMap<ObjectName, Service>) -> HashMap<&ObjectName, Vec<&Service>> {
    let mut serving: HashMap<&ObjectName, Vec<&Service>> = HashMap::new();
    for service in services.values() {
        for pod in service.endpoints.iter().filter_map(|one| one.workload.as_ref()) {
            let services = serving.entry(pod).or_default();
            if services.last().is_none_or(|last| last.name != service.name) {
                services.push(service);
            }
        }
    }
    serving
}

/// The addresses of a waypoint's pods, ready or not: one that is ending still sends. Of waypoints
/// whose pods are not known, their own.
fn sources(scene: &Scene<'_>, workloads: &Workloads) -> BTreeMap<ObjectName, Vec<IpAddr>> {
    let mut sources: BTreeMap<ObjectName, Vec<IpAddr>> = BTreeMap::new();
    for workload in workloads.values() {
        if let Some(waypoint) = &workload.instance_of {
            sources.entry(waypoint.clone()).or_default().extend(&workload.addresses);
        }
    }
    for (name, waypoint) in &scene.waypoints {
        if let Placement::Pods(addresses) = &waypoint.placement {
            sources.entry(name.clone()).or_insert_with(|| addresses.clone());
        }
    }
    sources
}

/// The waypoint that is asked for, whether it can be used or not.
fn asked_for(binding: &Binding) -> Option<&ObjectName> {
    match binding {
        Binding::Direct => None,
        Binding::Bound(waypoint) => Some(waypoint),
        Binding::Refused(refusal) => Some(&refusal.waypoint),
    }
}

/// Tells that nothing is refused although somebody asked for it.
fn tell(object: &ObjectRef, enrolment: Enrolment, report: &mut Report) {
    let why = match enrolment {
        Enrolment::Waypoint => return,
        Enrolment::Enrolled => "no waypoint stands before it",
        _ => "it is not enrolled",
    };
    let message = format!("{ADMISSION}: strict: {why}; nothing is refused");
    report.add(object.clone(), warning("AdmissionWithoutEffect", message));
}
