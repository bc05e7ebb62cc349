//! What a route is attached to (GEP-1294).
//!
//! It reads no rules.

use gateway_api::experimental::httproutes::{
    HttpRoute as Declared, HttpRouteParentRefs as ParentRef,
};

use crate::{
    mesh::{
        object::{ObjectName, ObjectRef},
        report::{Finding, Report},
        route::ServiceParent,
        service::Service,
    },
    sync::finding::{error, warning},
};

use super::routes::{Services, hosts_of};

/// The Services that the route is attached to; the others are told of.
pub(super) fn resolve(
    object: &ObjectRef,
    declared: &Declared,
    services: &Services,
    report: &mut Report,
) -> Vec<ServiceParent> {
    let mut parents = Vec::new();
    for reference in declared.spec.parent_refs.iter().flatten() {
        let found = named(object, reference, services);
        for service in found.unwrap_or_else(|refused| vec![Err(refused)]) {
            let found = service.and_then(|service| parent(object, reference, service));
            parents.extend(told(object, found, report));
        }
    }
    let mut distinct: Vec<ServiceParent> = Vec::new();
    for parent in parents {
        if !distinct.contains(&parent) {
            distinct.push(parent);
        }
    }
    distinct
}

/// A parent that is honoured; tells of one that is not, or that brings no traffic.
fn told(
    object: &ObjectRef,
    found: Result<(ServiceParent, &Service), Refused>,
    report: &mut Report,
) -> Option<ServiceParent> {
    let finding = match &found {
        Ok((_, service)) if service.binding.waypoint().is_none() => Some(unbound(service)),
        Ok(_) => None,
        Err((reason, message)) => Some(error(reason, message.clone())),
    };
    if let Some(finding) = finding {
        report.add(object.clone(), finding);
    }
    found.ok().map(|(parent, _)| parent)
}

/// Why a parent is not honoured.
type Refused = (&'static str, String);

/// The Services that a reference names: one, or every host of a ServiceEntry.
fn named<'s>(
    object: &ObjectRef,
    reference: &ParentRef,
    services: &'s Services,
) -> Result<Vec<Result<&'s Service, Refused>>, Refused> {
    let kind = reference.kind.as_deref().unwrap_or("Gateway");
    let group = reference.group.as_deref().unwrap_or("gateway.networking.k8s.io");
    let home = &object.name.namespace;
    let name = ObjectName::new(reference.namespace.as_deref().unwrap_or(home), &reference.name);
    let absent = |what| ("NoMatchingParent", format!("parent {what}: \"{name}\" not found"));
    match (group, kind) {
        ("" | "core", "Service") => Ok(vec![services.get(&name).ok_or_else(|| absent("service"))]),
        (ISTIO_NETWORKING, "ServiceEntry") => {
            let hosts: Vec<_> = hosts_of(services, &name).map(Ok).collect();
            if hosts.is_empty() { Err(absent("service entry")) } else { Ok(hosts) }
        }
        _ => {
            let message = format!("parent {group}/{kind} {} is not supported yet", reference.name);
            Err(("NoMatchingParent", message))
        }
    }
}

fn parent<'s>(
    object: &ObjectRef,
    reference: &ParentRef,
    service: &'s Service,
) -> Result<(ServiceParent, &'s Service), Refused> {
    let (home, name) = (&object.name.namespace, &service.name);
    let consumes = service.binding.waypoint().is_some_and(|by| by.namespace == *home);
    if name.namespace != *home && !consumes {
        let message = format!(
            "parent service {name} is in another namespace, and its waypoint is not in {home}"
        );
        return Err(("NotAllowedByListeners", message));
    }
    let port = port(reference, service)?;
    Ok((ServiceParent { port, service: name.clone() }, service))
}

/// The port that is meant: by number, by name, by both, or every one.
fn port(reference: &ParentRef, service: &Service) -> Result<Option<u16>, Refused> {
    let name = reference.section_name.as_deref();
    if reference.port.is_none() && name.is_none() {
        return Ok(None);
    }
    let found = service.ports.iter().find(|port| {
        reference.port.is_none_or(|number| i32::from(port.number) == number)
            && name.is_none_or(|name| port.name == name)
    });
    found.map(|port| Some(port.number)).ok_or_else(|| {
        let number = reference.port.map(|number| number.to_string());
        let wanted = [number, name.map(str::to_owned)].into_iter().flatten().collect::<Vec<_>>();
        let message =
            format!("parent service {}: port {} not found", service.name, wanted.join(" "));
        ("NoMatchingParent", message)
    })
}

/// Says that nothing brings traffic to the route.
fn unbound(service: &Service) -> Finding {
    let (kind, name) = match &service.external {
        Some(external) => ("service entry", &external.entry),
        None => ("service", &service.name),
    };
    let message = format!(
        "{kind} {name} has no waypoint (label istio.io/use-waypoint on it or its namespace); \
         the route will not be respected"
    );
    warning("ResolvedWaypoints", message)
}

/// The API group of ServiceEntries.
pub(super) const ISTIO_NETWORKING: &str = "networking.istio.io";
