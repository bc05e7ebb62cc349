//! What an HTTPRoute is attached to (GEP-1294).
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

use super::routes::Services;

/// The Services that the route is attached to; the others are told of.
pub(super) fn resolve(
    object: &ObjectRef,
    declared: &Declared,
    services: &Services,
    report: &mut Report,
) -> Vec<ServiceParent> {
    let mut parents = Vec::new();
    for reference in declared.spec.parent_refs.iter().flatten() {
        match parent(object, reference, services) {
            Ok((parent, service)) => {
                if service.binding.waypoint().is_none() {
                    report.add(object.clone(), unbound(&parent.service));
                }
                if !parents.contains(&parent) {
                    parents.push(parent);
                }
            }
            Err((reason, message)) => report.add(object.clone(), error(reason, message)),
        }
    }
    parents
}

/// Why a parent is not honoured.
type Refused = (&'static str, String);

fn parent<'s>(
    object: &ObjectRef,
    reference: &ParentRef,
    services: &'s Services,
) -> Result<(ServiceParent, &'s Service), Refused> {
    let kind = reference.kind.as_deref().unwrap_or("Gateway");
    let group = reference.group.as_deref().unwrap_or("gateway.networking.k8s.io");
    if !(kind == "Service" && matches!(group, "" | "core")) {
        let message = format!("parent {group}/{kind} {} is not supported yet", reference.name);
        return Err(("NoMatchingParent", message));
    }
    let home = &object.name.namespace;
    let name = ObjectName::new(reference.namespace.as_deref().unwrap_or(home), &reference.name);
    let Some(service) = services.get(&name) else {
        return Err(("NoMatchingParent", format!("parent service: \"{name}\" not found")));
    };
    let consumes = service.binding.waypoint().is_some_and(|by| by.namespace == *home);
    if name.namespace != *home && !consumes {
        let message = format!(
            "parent service {name} is in another namespace, and its waypoint is not in {home}"
        );
        return Err(("NotAllowedByListeners", message));
    }
    Ok((ServiceParent { port: port(reference, service)?, service: name }, service))
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
fn unbound(service: &ObjectName) -> Finding {
    let message = format!(
        "service {service} has no waypoint (label istio.io/use-waypoint on it or its namespace); \
         the route will not be respected"
    );
    warning("ResolvedWaypoints", message)
}
