//! What a route is attached to (GEP-1294).
//!
//! It reads no rules.

use gateway_api::experimental::httproutes::{
    HttpRoute as Declared, HttpRouteParentRefs as ParentRef,
};

use crate::{
    mesh::{
        binding::{Binding, Refusal},
        condition::Parent,
        object::{ObjectName, ObjectRef},
        report::{Finding, Report},
        route::ServiceParent,
        service::Service,
        waypoint::Waypoint,
    },
    sync::finding::{error, warning},
};

use super::{
    gateways,
    route_gateways::{self, Place},
    routes::{Services, hosts_of},
    scene::Scene,
};

/// What became of one reference to a parent.
#[derive(Debug)]
pub(super) struct Attachment {
    /// The reference.
    pub(super) about: Parent,
    /// What the route is attached to by it, or why to nothing.
    pub(super) parents: Result<Vec<ServiceParent>, Refused>,
    /// Why no waypoint stands before the parent, if none does.
    pub(super) missing: Option<Missing>,
    /// Whether it is for us to tell of it.
    pub(super) is_ours: bool,
}

/// Why no waypoint stands before a parent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Missing {
    /// The parent itself is missing.
    Parent,
    /// Nobody asks for one.
    Label,
    /// The one that is asked for cannot be used.
    Refused(Refusal),
}

/// What the route is attached to by each of its references; those to nothing are told of.
pub(super) fn resolve(
    place: &Place<'_>,
    object: &ObjectRef,
    declared: &Declared,
    report: &mut Report,
) -> Vec<Attachment> {
    let references = declared.spec.parent_refs.iter().flatten();
    let attach = |reference| {
        let home = &object.name.namespace;
        let Some(waypoint) = route_gateways::waypoint(place.scene(), home, reference) else {
            return to_service(place, object, reference, report);
        };
        let hostnames = declared.spec.hostnames.as_deref().unwrap_or_default();
        let route = route_gateways::Route { object, hostnames };
        to_waypoint(place, route, (reference, waypoint), report)
    };
    references.map(attach).collect()
}

/// Attaches a route to the Services of a waypoint.
fn to_waypoint(
    place: &Place<'_>,
    route: route_gateways::Route<'_>,
    (reference, waypoint): (&ParentRef, &Waypoint),
    report: &mut Report,
) -> Attachment {
    let parents = route_gateways::parents(place, route, (reference, waypoint));
    match &parents {
        Ok(parents) if parents.is_empty() => {
            let message = format!(
                "no Service of waypoint {} is left to the route: they are bound to it, have one of \
                 its hostnames if it has any, and no route of their own",
                waypoint.name
            );
            report.add(route.object.clone(), warning("NoService", message));
        }
        Ok(_) => {}
        Err((reason, message)) => report.add(route.object.clone(), error(reason, message.clone())),
    }
    let missing = route_gateways::missing(waypoint);
    Attachment { about: about(reference), missing, is_ours: true, parents }
}

/// Attaches a route to a Service, or to the hosts of a ServiceEntry.
fn to_service(
    place: &Place<'_>,
    object: &ObjectRef,
    reference: &ParentRef,
    report: &mut Report,
) -> Attachment {
    let found = parents(object, reference, place.services());
    let service = found.as_ref().ok().map(|(_, service)| *service);
    match &found {
        Ok((_, service)) if service.binding.waypoint().is_none() => {
            report.add(object.clone(), unbound(service));
        }
        Ok(_) => {}
        Err((reason, message)) => report.add(object.clone(), error(reason, message.clone())),
    }
    let is_ours = is_service(reference) || is_entry(reference);
    Attachment {
        about: about(reference),
        missing: missing(service),
        is_ours: is_ours && !service.is_some_and(|one| is_foreign(place.scene(), one)),
        parents: found.map(|(parents, _)| parents),
    }
}

/// Whether a route has a Service or ServiceEntry among its parents.
pub(super) fn names_services(declared: &Declared) -> bool {
    let mut references = declared.spec.parent_refs.iter().flatten();
    references.any(|reference| is_service(reference) || is_entry(reference))
}

/// Whether the Service is bound to a waypoint that somebody else makes.
fn is_foreign(scene: &Scene<'_>, service: &Service) -> bool {
    let waypoint = service.binding.waypoint().and_then(|name| scene.waypoints.get(name));
    waypoint.is_some_and(|one| !gateways::is_waypoint_class(scene.objects, &one.class))
}

fn missing(service: Option<&Service>) -> Option<Missing> {
    match service.map(|service| &service.binding) {
        None => Some(Missing::Parent),
        Some(Binding::Direct) => Some(Missing::Label),
        Some(Binding::Refused(refusal)) => Some(Missing::Refused(refusal.clone())),
        Some(Binding::Bound(_)) => None,
    }
}

fn about(reference: &ParentRef) -> Parent {
    Parent {
        group: reference.group.clone(),
        kind: reference.kind.clone(),
        namespace: reference.namespace.clone(),
        name: reference.name.clone(),
        section: reference.section_name.clone(),
        port: reference.port,
    }
}

fn is_entry(reference: &ParentRef) -> bool {
    reference.kind.as_deref() == Some("ServiceEntry")
        && reference.group.as_deref() == Some(ISTIO_NETWORKING)
}

fn is_service(reference: &ParentRef) -> bool {
    reference.kind.as_deref() == Some("Service")
        && matches!(reference.group.as_deref(), Some("" | "core"))
}

/// Why a parent is not honoured.
pub(super) type Refused = (&'static str, String);

/// What the route is attached to by a reference: a Service, or every host of a ServiceEntry, which
/// have all but their names in common; and one of them.
pub(super) fn parents<'s>(
    object: &ObjectRef,
    reference: &ParentRef,
    services: &'s Services,
) -> Result<(Vec<ServiceParent>, &'s Service), Refused> {
    let found = named(object, reference, services)?;
    let Some(first) = found.first().copied() else {
        let message = format!("parent service entry: \"{}\" not found", reference.name);
        return Err(("NoMatchingParent", message));
    };
    let port = port(reference, first)?;
    let parents = found.iter().map(|one| ServiceParent {
        port,
        service: one.name.clone(),
        clients: consumers(&object.name.namespace, one),
    });
    Ok((parents.collect(), first))
}

/// The namespace whose clients alone go by a route of that namespace (GEP-1294): its own, where the
/// Service is somebody else's. Whoever keeps the Service's waypoint speaks for all of its clients,
/// as in Istio.
fn consumers(home: &str, service: &Service) -> Option<String> {
    let keeps_waypoint = service.binding.waypoint().is_some_and(|by| by.namespace == home);
    let is_own = service.name.namespace == home || keeps_waypoint;
    (!is_own).then(|| home.to_owned())
}

/// The Services that a reference names.
fn named<'s>(
    object: &ObjectRef,
    reference: &ParentRef,
    services: &'s Services,
) -> Result<Vec<&'s Service>, Refused> {
    let home = &object.name.namespace;
    let name = ObjectName::new(reference.namespace.as_deref().unwrap_or(home), &reference.name);
    if is_entry(reference) {
        return Ok(hosts_of(services, &name).collect());
    }
    if !is_service(reference) {
        let kind = reference.kind.as_deref().unwrap_or("Gateway");
        let group = reference.group.as_deref().unwrap_or("gateway.networking.k8s.io");
        let message = format!("parent {group}/{kind} {} is not supported yet", reference.name);
        return Err(("NoMatchingParent", message));
    }
    let absent = || ("NoMatchingParent", format!("parent service: \"{name}\" not found"));
    services.get(&name).map(|service| vec![service]).ok_or_else(absent)
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
