//! Routes whose parent is a waypoint's Gateway: they are for the Services that are bound to it.
//!
//! Which of the waypoint's Services a route is for: where it lies in the waypoint's namespace all
//! of them, else those of its own namespace; where it has `hostnames`, those of them that have such
//! a name; and of these, the ports that have no route with the Service itself as its parent.
//!
//! It reads no rules.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
};

use gateway_api::experimental::{
    gateways::GatewayListeners,
    httproutes::{HttpRoute as Declared, HttpRouteParentRefs as ParentRef},
};

use crate::{
    mesh::{
        binding::{Refusal, RefusalReason},
        object::{ObjectName, ObjectRef},
        route::{RouteKind, ServiceParent},
        service::Service,
        waypoint::Waypoint,
    },
    sync::gateway_routes,
};

use super::{
    connection_routes, gateways, grpc_rules,
    route_parents::{self, Missing, Refused},
    routes::Services,
    scene::Scene,
};

/// The waypoint of our class that a reference names, if it names one.
pub(super) fn waypoint<'s>(
    scene: &'s Scene<'_>,
    home: &str,
    reference: &ParentRef,
) -> Option<&'s Waypoint> {
    if !is_gateway(reference) {
        return None;
    }
    let namespace = reference.namespace.as_deref().unwrap_or(home);
    let found = scene.waypoints.get(&ObjectName::new(namespace, &reference.name))?;
    gateways::is_waypoint_class(scene.objects, &found.class).then_some(found)
}

fn is_gateway(reference: &ParentRef) -> bool {
    gateway_routes::is_gateway(reference.group.as_deref(), reference.kind.as_deref())
}

/// What routes of a kind are attached among.
pub(super) struct Place<'a> {
    scene: &'a Scene<'a>,
    services: &'a Services,
    /// Looked for where a route asks for it: of routes of requests, and of those of connections.
    own: [OnceCell<Own>; 2],
}

impl<'a> Place<'a> {
    /// Services, and everything else.
    pub(super) fn new(scene: &'a Scene<'a>, services: &'a Services) -> Self {
        Self { scene, services, own: [OnceCell::new(), OnceCell::new()] }
    }

    /// Everything but Services.
    pub(super) fn scene(&self) -> &'a Scene<'a> {
        self.scene
    }

    /// The Services.
    pub(super) fn services(&self) -> &'a Services {
        self.services
    }

    fn own(&self, route: Route<'_>) -> &Own {
        let [of_requests, of_connections] = &self.own;
        let is_of_connections = [RouteKind::Tls, RouteKind::Tcp];
        if is_of_connections.iter().any(|kind| kind.as_str() == route.object.kind) {
            of_connections.get_or_init(|| Own::of_connections(self.scene, self.services))
        } else {
            of_requests.get_or_init(|| Own::of_requests(self.scene, self.services))
        }
    }
}

/// A route, as its attachment goes by it.
#[derive(Clone, Copy)]
pub(super) struct Route<'a> {
    /// The route.
    pub(super) object: &'a ObjectRef,
    /// Of which Services by name; none means all.
    pub(super) hostnames: &'a [String],
}

/// The Services, by port, that a route is attached to by a reference to a waypoint.
pub(super) fn parents(
    place: &Place<'_>,
    route: Route<'_>,
    (reference, waypoint): (&ParentRef, &Waypoint),
) -> Result<Vec<ServiceParent>, Refused> {
    let (scene, services) = (place.scene, place.services);
    let home = &route.object.name.namespace;
    check_listener(scene, route, reference, waypoint)?;
    let labels = scene.namespace_labels(home);
    if !waypoint.allowed.allow(&waypoint.name.namespace, home, labels) {
        let message = format!("waypoint {} does not allow routes of {home}", waypoint.name);
        return Err((NOT_ALLOWED, message));
    }
    let is_for = |service: &&Service| {
        service.is_served_by(&waypoint.name)
            && (waypoint.name.namespace == *home || service.name.namespace == *home)
            && is_named(scene, home, service, route.hostnames)
    };
    Ok(services
        .values()
        .filter(is_for)
        .flat_map(|service| place.own(route).left(service))
        .collect())
}

/// Why nothing brings traffic to the route, if nothing does.
pub(super) fn missing(waypoint: &Waypoint) -> Option<Missing> {
    let reason = RefusalReason::WaypointIsNotReady;
    let refusal = Refusal { waypoint: waypoint.name.clone(), reason };
    (!waypoint.ready).then_some(Missing::Refused(refusal))
}

/// Whether the waypoint has a listener as the reference names it, for routes of this kind.
fn check_listener(
    scene: &Scene<'_>,
    route: Route<'_>,
    reference: &ParentRef,
    waypoint: &Waypoint,
) -> Result<(), Refused> {
    let listeners = scene.objects.gateways.get(&waypoint.name);
    let listeners = listeners.map(|gateway| gateway.spec.listeners.as_slice()).unwrap_or_default();
    let mut named = listeners.iter().filter(|one| is_meant(one, reference)).peekable();
    if named.peek().is_none() {
        let message = format!("waypoint {} has no such listener", waypoint.name);
        return Err(("NoMatchingParent", message));
    }
    let kind = route.object.kind.as_str();
    if !named.any(|listener| gateway_routes::takes(listener, kind)) {
        let message = format!("waypoint {} does not allow routes of kind {kind}", waypoint.name);
        return Err((NOT_ALLOWED, message));
    }
    Ok(())
}

/// Whether a reference means the listener: by name, by port, by both, or as any.
fn is_meant(listener: &GatewayListeners, reference: &ParentRef) -> bool {
    reference.section_name.as_ref().is_none_or(|name| *name == listener.name)
        && reference.port.is_none_or(|port| port == listener.port)
}

/// Whether the Service has one of these names, if there are any.
fn is_named(scene: &Scene<'_>, home: &str, service: &Service, hostnames: &[String]) -> bool {
    if hostnames.is_empty() {
        return true;
    }
    let whole = service.host(&scene.settings.cluster_domain);
    let ObjectName { namespace, name } = &service.name;
    let short = match service.external {
        Some(_) => Vec::new(),
        None => vec![format!("{name}.{namespace}.svc"), format!("{name}.{namespace}")],
    };
    let bare = service.external.is_none() && namespace == home;
    hostnames.iter().map(|hostname| hostname.to_ascii_lowercase()).any(|hostname| {
        match hostname.strip_prefix('*') {
            Some(suffix) => whole.len() > suffix.len() && whole.ends_with(suffix),
            None => whole == hostname || short.contains(&hostname) || (bare && *name == hostname),
        }
    })
}

/// Services that have routes of requests of their own, and at which ports.
struct Own(BTreeMap<ObjectName, Ports>);

/// Ports of a Service.
enum Ports {
    All,
    Some(BTreeSet<u16>),
}

impl Own {
    /// Those of TLSRoutes and TCPRoutes.
    fn of_connections(scene: &Scene<'_>, services: &Services) -> Self {
        let mut own = Self(BTreeMap::new());
        for (name, route) in &scene.objects.tls_routes {
            let (route, _) = connection_routes::tls(route);
            own.add(&ObjectRef::new(RouteKind::Tls.as_str(), name.clone()), &route, services);
        }
        for (name, route) in &scene.objects.tcp_routes {
            let (route, _) = connection_routes::tcp(route);
            own.add(&ObjectRef::new(RouteKind::Tcp.as_str(), name.clone()), &route, services);
        }
        own
    }

    /// Those of HTTPRoutes and GRPCRoutes.
    fn of_requests(scene: &Scene<'_>, services: &Services) -> Self {
        let mut own = Self(BTreeMap::new());
        for (name, route) in &scene.objects.http_routes {
            own.add(&ObjectRef::new(RouteKind::Http.as_str(), name.clone()), route, services);
        }
        for (name, route) in &scene.objects.grpc_routes {
            let (route, _) = grpc_rules::route(route);
            own.add(&ObjectRef::new(RouteKind::Grpc.as_str(), name.clone()), &route, services);
        }
        own
    }

    fn add(&mut self, object: &ObjectRef, route: &Declared, services: &Services) {
        let references = route.spec.parent_refs.iter().flatten();
        let found = references.filter(|reference| !is_gateway(reference));
        let found = found.filter_map(|one| route_parents::parents(object, one, services).ok());
        // A consumer's routes leave everybody else to those of the waypoint.
        let of_all = found.flat_map(|(parents, _)| parents).filter(|one| one.clients.is_none());
        for ServiceParent { service, port, .. } in of_all {
            let ports = self.0.entry(service).or_insert_with(|| Ports::Some(BTreeSet::new()));
            match (port, &mut *ports) {
                (None, _) => *ports = Ports::All,
                (Some(port), Ports::Some(some)) => drop(some.insert(port)),
                (Some(_), Ports::All) => {}
            }
        }
    }

    /// What of a Service is left to routes of its waypoint.
    fn left(&self, service: &Service) -> Vec<ServiceParent> {
        let at = |port| ServiceParent::new(service.name.clone(), port);
        match self.0.get(&service.name) {
            None => vec![at(None)],
            Some(Ports::All) => Vec::new(),
            Some(Ports::Some(own)) => {
                let others = service.ports.iter().map(|port| port.number);
                others.filter(|port| !own.contains(port)).map(|port| at(Some(port))).collect()
            }
        }
    }
}

const NOT_ALLOWED: &str = "NotAllowedByListeners";
