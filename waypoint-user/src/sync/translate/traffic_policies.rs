//! TrafficPolicies: what they are attached to, and which of several counts (GEP-713).
//!
//! What they say is `traffic_rules`'s.

use std::collections::BTreeMap;

use crate::{
    mesh::{
        condition::{ACCEPTED, Condition, Parent},
        object::{ObjectName, ObjectRef},
        report::{Finding, Report, Severity},
        route::RouteKind,
        service::Service,
        traffic_policy::{TrafficPolicy, TrafficTarget},
    },
    sync::{
        finding::{accepted, error},
        traffic_policy::{TargetRef, TrafficPolicy as Declared},
    },
};

use super::{
    meta,
    route_parents::ISTIO_NETWORKING,
    routes::{Routes, Services, hosts_of},
    scene::Scene,
    traffic_rules,
};

/// What targets are looked for in.
pub(super) struct Known<'a> {
    pub(super) scene: &'a Scene<'a>,
    pub(super) services: &'a Services,
    pub(super) routes: &'a dyn Fn(RouteKind) -> &'a Routes,
}

/// The policies that are attached to something.
pub(super) fn translate(
    known: &Known<'_>,
    report: &mut Report,
) -> BTreeMap<ObjectName, TrafficPolicy> {
    let declared = &known.scene.objects.traffic_policies;
    let mut oldest_first: Vec<_> = declared.iter().collect();
    oldest_first.sort_by_cached_key(|(name, policy)| {
        let created = policy.metadata.creation_timestamp.as_ref();
        let created = created.map(|time| time.0.as_second());
        (created.is_none(), created, name.to_string())
    });
    tell_unread(known, report);
    let mut taken = BTreeMap::new();
    let mut policies = BTreeMap::new();
    for (name, policy) in oldest_first {
        let targets = attach(known, name, policy, &mut taken, report);
        // What cannot be understood was refused when it was admitted.
        let Ok((endpoints, requests)) = traffic_rules::rules(&policy.spec) else { continue };
        if targets.is_empty() {
            continue;
        }
        let version = meta::version(&policy.metadata);
        let name = name.clone();
        let policy = TrafficPolicy { name: name.clone(), version, targets, endpoints, requests };
        policies.insert(name, policy);
    }
    policies
}

/// Tells the targets of policies that were never understood why nothing goes by them.
fn tell_unread(known: &Known<'_>, report: &mut Report) {
    for (name, policy) in &known.scene.objects.unread_traffic_policies {
        let object = ObjectRef::new(KIND, name.clone());
        let Some(message) = refused(&object, report) else { continue };
        for reference in &policy.targets {
            let condition = Condition::new(ACCEPTED, false, INVALID, &*message);
            report.set(object.clone(), condition.of(&ancestor(reference)));
        }
    }
}

/// Why the newest version of a policy is not understood, if it is not.
fn refused(object: &ObjectRef, report: &Report) -> Option<String> {
    let finding = report.of(object).find(|finding| finding.severity == Severity::Error);
    finding.map(|finding| finding.message.clone())
}

/// Which policy has a target.
type Taken = BTreeMap<TrafficTarget, ObjectName>;

/// The targets that a policy has; each reference is told of.
fn attach(
    known: &Known<'_>,
    name: &ObjectName,
    policy: &Declared,
    taken: &mut Taken,
    report: &mut Report,
) -> Vec<TrafficTarget> {
    let object = ObjectRef::new(KIND, name.clone());
    let refused = refused(&object, report);
    let mut attached = Vec::new();
    for reference in &policy.spec.target_refs {
        let found = known.find(&name.namespace, reference);
        let found = found.and_then(|found| permitted(policy, found));
        let mut outcome = found.and_then(|(targets, message)| {
            let free = taking(targets, name, taken)?;
            attached
                .extend(free.into_iter().filter(|one| !attached.contains(one)).collect::<Vec<_>>());
            Ok(accepted("Accepted", message))
        });
        if let (Ok(_), Some(message)) = (&outcome, &refused) {
            let message = format!("{message}; the version before stays in force");
            outcome = Err(error(INVALID, message));
        }
        tell(&object, reference, outcome, report);
    }
    attached
}

/// Tells of one reference: by a finding, and by a condition that says the same.
fn tell(
    object: &ObjectRef,
    reference: &TargetRef,
    outcome: Result<Finding, Finding>,
    report: &mut Report,
) {
    let holds = outcome.is_ok();
    let finding = outcome.unwrap_or_else(|finding| finding);
    let condition = Condition::new(ACCEPTED, holds, &*finding.reason, &*finding.message);
    report.set(object.clone(), condition.of(&ancestor(reference)));
    report.add(object.clone(), finding);
}

/// A reference, as the status names it.
fn ancestor(reference: &TargetRef) -> Parent {
    Parent {
        group: Some(reference.group.clone()),
        kind: Some(reference.kind.clone()),
        name: reference.name.clone(),
        section: reference.section_name.clone(),
        ..Parent::default()
    }
}

/// Targets that are there, and how they are told of.
type Found = (Vec<TrafficTarget>, String);

/// Targets that may be attached to: a route has no endpoints of its own, and one of connections
/// sees no requests.
fn permitted(policy: &Declared, found: Found) -> Result<Found, Finding> {
    let Some(kind) = found.0.iter().find_map(TrafficTarget::route_kind) else { return Ok(found) };
    if let Some(field) = traffic_rules::field_of_endpoints(&policy.spec) {
        let message = format!("spec.{field} holds for endpoints; attach it to a Service");
        return Err(error(INVALID, message));
    }
    let of_requests = traffic_rules::field_of_requests(&policy.spec);
    if let Some(field) = of_requests.filter(|_| kind.is_of_connections()) {
        let kind = kind.as_str();
        let message = format!("spec.{field} holds for requests, and a {kind} is for connections");
        return Err(error(INVALID, message));
    }
    Ok(found)
}

/// The kind of routes of this name.
fn route_kind(name: &str) -> Option<RouteKind> {
    RouteKind::ALL.into_iter().find(|kind| kind.as_str() == name)
}

/// Takes targets, unless an older policy has one of them.
fn taking(
    targets: Vec<TrafficTarget>,
    name: &ObjectName,
    taken: &mut Taken,
) -> Result<Vec<TrafficTarget>, Finding> {
    let other = targets.iter().find_map(|target| taken.get(target).filter(|by| *by != name));
    if let Some(other) = other {
        let message = format!("{KIND} {other} is older and attached to the same target");
        return Err(error("Conflicted", message));
    }
    taken.extend(targets.iter().map(|target| (target.clone(), name.clone())));
    Ok(targets)
}

impl Known<'_> {
    /// What a reference of a policy of this namespace leads to.
    fn find(&self, home: &str, reference: &TargetRef) -> Result<Found, Finding> {
        let name = ObjectName::new(home, &reference.name);
        let section = reference.section_name.as_deref();
        match (reference.group.as_str(), reference.kind.as_str()) {
            ("" | "core", "Service") => {
                let service = self.services.get(&name).filter(|one| one.external.is_none());
                of_services(service.into_iter(), section, &format!("Service {name}"))
            }
            (ISTIO_NETWORKING, "ServiceEntry") => {
                let hosts = hosts_of(self.services, &name);
                of_services(hosts, section, &format!("ServiceEntry {name}"))
            }
            (GATEWAY_API, "Gateway") => self.gateway(name, section),
            (GATEWAY_API, kind) if let Some(kind) = route_kind(kind) => {
                of_route(kind, (self.routes)(kind), name, section)
            }
            (group, kind) => {
                let message = format!("target {group}/{kind} {name} is of no kind that can be one");
                Err(error(INVALID, message))
            }
        }
    }

    fn gateway(&self, name: ObjectName, section: Option<&str>) -> Result<Found, Finding> {
        if let Some(section) = section {
            let message = format!("sectionName {section:?}: a waypoint's listeners are one");
            return Err(error(INVALID, message));
        }
        if !self.scene.waypoints.contains_key(&name) {
            return Err(not_found(format!("Gateway {name} is not a waypoint")));
        }
        let message = format!("attached to Gateway {name}");
        Ok((vec![TrafficTarget::Gateway(name)], message))
    }
}

/// Services, or their ports of that name or number.
fn of_services<'s>(
    services: impl Iterator<Item = &'s Service>,
    section: Option<&str>,
    title: &str,
) -> Result<Found, Finding> {
    let services: Vec<&Service> = services.collect();
    if services.is_empty() {
        return Err(not_found(format!("{title} not found")));
    }
    let targets: Vec<TrafficTarget> = match section {
        None => services.iter().map(|one| TrafficTarget::Service(one.name.clone())).collect(),
        Some(section) => services.iter().flat_map(|one| ports(one, section)).collect(),
    };
    if targets.is_empty() {
        let section = section.unwrap_or_default();
        return Err(not_found(format!("{title} has no port {section:?}")));
    }
    let waypoint = services.iter().find_map(|service| service.binding.waypoint());
    let message = match waypoint {
        Some(waypoint) => format!("attached to {title}, behind waypoint {waypoint}"),
        None => format!("attached to {title}, which has no waypoint yet that could go by it"),
    };
    Ok((targets, message))
}

fn ports(service: &Service, section: &str) -> impl Iterator<Item = TrafficTarget> {
    let number: Option<u16> = section.parse().ok();
    let ports = service.ports.iter();
    ports
        .filter(move |port| port.name == section || Some(port.number) == number)
        .map(|port| TrafficTarget::Port(service.name.clone(), port.number))
}

fn of_route(
    kind: RouteKind,
    routes: &Routes,
    name: ObjectName,
    section: Option<&str>,
) -> Result<Found, Finding> {
    let title = format!("{} {name}", kind.as_str());
    let Some(route) = routes.get(&name) else {
        return Err(not_found(format!("{title} is not there, or attached to nothing here")));
    };
    let message = format!("attached to {title}");
    let Some(section) = section else {
        return Ok((vec![TrafficTarget::Route(kind, name)], message));
    };
    if route.rules.iter().any(|rule| rule.name.as_deref() == Some(section)) {
        return Ok((vec![TrafficTarget::Rule(kind, name, section.to_owned())], message));
    }
    Err(not_found(format!("{title} has no rule of the name {section:?}")))
}

fn not_found(message: String) -> Finding {
    error("TargetNotFound", message)
}

/// The kind of these policies.
pub(in crate::sync) const KIND: &str = "TrafficPolicy";
/// The reason of what is not understood.
const INVALID: &str = "Invalid";
/// The API group of Gateways and routes.
const GATEWAY_API: &str = "gateway.networking.k8s.io";
