//! Which routes decide about requests, in the order that decides between equal matches.
//!
//! It matches no request.

use crate::{
    mesh::{object::ObjectRef, route::HttpRoute},
    route::applying,
};

use super::{Case, Step, address::Dialled, counted, of_service};

/// The routes of the Service's port; in vain where no waypoint takes the connection.
pub(super) fn steps(case: &Case<'_>) -> Vec<Step> {
    let Dialled::Service { service, address } = &case.dialled else { return Vec::new() };
    let routes = case.snapshot.routes_of(&service.name);
    let of = |clients| applying(routes, (&service.name, address.port()), clients);
    let own = of(Some(&case.client.name.namespace));
    let routes = if own.is_empty() { of(None) } else { own };
    let taken = case.taken_by();
    let object = of_service(service);
    if routes.is_empty() {
        let says = format!("none: requests go to the endpoints of {object}");
        return taken.map(|_| Step::new(TOPIC, says)).into_iter().collect();
    }
    let step = |route: &HttpRoute| {
        let rules = counted(route.rules.len(), "rule");
        let says = match taken {
            Some(waypoint) => format!("{rules} of {} at waypoint {waypoint}", route.name),
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
