//! Which routes decide about requests, or about the connection as a whole, in the order that
//! decides between equal matches.
//!
//! It matches no request and no name of a server.

use std::sync::Arc;

use crate::{
    mesh::{
        object::ObjectRef,
        route::HttpRoute,
        service::{AppProtocol, Service},
    },
    route::applying,
};

use super::{Case, Step, address::Dialled, counted, of_service};

/// The routes of the Service's port; in vain where no waypoint takes the connection.
pub(super) fn steps(case: &Case<'_>) -> Vec<Step> {
    let Dialled::Service { service, address } = &case.dialled else { return Vec::new() };
    let taken = case.taken_by();
    let object = of_service(service);
    let routes = deciding(case, service, address.port());
    if routes.is_empty() {
        let says = format!("none: requests go to the endpoints of {object}");
        return taken.map(|_| Step::new(TOPIC, says)).into_iter().collect();
    }
    let step = |route: &HttpRoute| {
        let rules = counted(route.rules.len(), "rule");
        let names = match route.hostnames.as_slice() {
            [] => String::new(),
            names => format!(", for connections to {}", names.join(", ")),
        };
        let says = match taken {
            Some(waypoint) => format!("{rules} of {} at waypoint {waypoint}{names}", route.name),
            None => format!("{rules} of {} do nothing: it passes no waypoint", route.name),
        };
        let parent = route.parents.iter().find(|parent| parent.service == service.name);
        let port = parent.and_then(|parent| parent.port);
        let port = port.map(|port| format!(", port {port}")).unwrap_or_default();
        let named = parent_named(case, route, &object);
        Step::new(TOPIC, says)
            .by(
                ObjectRef::new(route.kind.as_str(), route.name.clone()),
                format!("spec.parentRefs: {named}{port}"),
            )
            .amiss_if(taken.is_none())
    };
    routes.iter().map(|route| step(route)).collect()
}

/// The routes that decide for the client: those for its own namespace before those for all, and of
/// each those of connections where there are any. Where bytes are declared, routes of requests
/// stand in nobody's way.
fn deciding(case: &Case<'_>, service: &Service, port: u16) -> Vec<Arc<HttpRoute>> {
    let (name, own) = (&service.name, Some(case.client.name.namespace.as_str()));
    let of_connections = case.snapshot.connection_routes_of(name);
    let of_requests = case.snapshot.routes_of(name);
    let is_opaque = service.port(port).is_some_and(|port| port.protocol == AppProtocol::Tcp);
    let ranks = if is_opaque {
        [(of_connections, own), (of_connections, None), (of_requests, own), (of_requests, None)]
    } else {
        [(of_connections, own), (of_requests, own), (of_connections, None), (of_requests, None)]
    };
    let mut ranks =
        ranks.into_iter().map(|(routes, clients)| applying(routes, (name, port), clients));
    ranks.find(|routes| !routes.is_empty()).unwrap_or_default()
}

/// The parent by which a route is the Service's, as the route names it: the Service itself, or its
/// waypoint.
fn parent_named(case: &Case<'_>, route: &HttpRoute, object: &ObjectRef) -> String {
    let of_route = ObjectRef::new(route.kind.as_str(), route.name.clone());
    let told = case.report.conditions_of(&of_route).iter();
    let parents: Vec<_> = told.filter_map(|one| one.about.as_ref()).collect();
    let of_kind = |kind: &str| {
        let mut parents = parents.iter();
        parents.find(|about| about.kind.as_deref().unwrap_or(GATEWAY) == kind)
    };
    match (of_kind(&object.kind), of_kind(GATEWAY)) {
        (None, Some(waypoint)) => format!("{GATEWAY} {}", waypoint.name),
        _ => format!("{} {}", object.kind, object.name.name),
    }
}

/// What a parent is where nothing else is said.
const GATEWAY: &str = "Gateway";
const TOPIC: &str = "route";
