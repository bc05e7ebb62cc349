//! Whether the waypoints before a route's parents go by the route.
//!
//! **Invariant:** it is true only when every ready pod of every waypoint that takes connections of
//! the parent has said that it applied this very version of the route.

use crate::{
    mesh::{
        condition::{ACCEPTED, Condition, PROGRAMMED, Parent, Truth},
        object::{ObjectName, ObjectRef},
        route::{HttpRoute, RouteKind},
        service::Service,
        snapshot::Snapshot,
        waypoint::Placement,
    },
    sync::State,
};

use super::applied::Applied;

/// One condition for each parent that is ours to speak of.
pub(super) fn conditions(
    state: &State,
    applied: &Applied,
    kind: RouteKind,
    object: &ObjectRef,
) -> Vec<Condition> {
    let of_parents = state.report.conditions_of(object).iter();
    let accepted = of_parents.filter(|condition| condition.kind == ACCEPTED);
    let said = accepted.filter_map(|accepted| {
        let about = accepted.about.as_ref()?;
        let route = Said { snapshot: &state.snapshot, applied, kind, object };
        let condition = if accepted.status == Truth::True {
            route.of_parent(about)
        } else {
            no("Invalid", "the parent does not accept the route")
        };
        Some(condition.of(about))
    });
    said.collect()
}

/// What is known of one route.
struct Said<'a> {
    snapshot: &'a Snapshot,
    applied: &'a Applied,
    kind: RouteKind,
    object: &'a ObjectRef,
}

impl Said<'_> {
    fn of_parent(&self, about: &Parent) -> Condition {
        let routes = self.snapshot.routes_of_kind(self.kind);
        let route = routes.get(&self.object.name);
        if let (Some(waypoint), Some(route)) = (self.waypoint(about), route) {
            return self.of_waypoint(&waypoint, route);
        }
        let found = route.and_then(|route| Some((self.parent(about, route)?, route)));
        match found {
            Some((service, route)) => self.of_service(service, route),
            None => no("Invalid", "the route is not in force"),
        }
    }

    /// The Service that a route is attached to by a reference; of a ServiceEntry any host, as all
    /// have the same waypoints.
    fn parent(&self, about: &Parent, route: &HttpRoute) -> Option<&Service> {
        let home = about.namespace.as_ref().unwrap_or(&self.object.name.namespace);
        let named = ObjectName::new(home, &about.name);
        let parents = route.parents.iter();
        let mut services = parents.filter_map(|one| self.snapshot.services().get(&one.service));
        let found = services.find(|service| match &service.external {
            Some(external) => about.kind.as_deref() == Some(ENTRY) && external.entry == named,
            None => about.kind.as_deref() != Some(ENTRY) && service.name == named,
        });
        found.map(AsRef::as_ref)
    }

    /// The waypoint that a reference names, if it names a Gateway.
    fn waypoint(&self, about: &Parent) -> Option<ObjectName> {
        let home = about.namespace.as_ref().unwrap_or(&self.object.name.namespace);
        let is_gateway = about.kind.as_deref().is_none_or(|kind| kind == GATEWAY);
        is_gateway.then(|| ObjectName::new(home, &about.name))
    }

    /// A route of a waypoint itself, which is in force where it is so for a Service.
    fn of_waypoint(&self, waypoint: &ObjectName, route: &HttpRoute) -> Condition {
        let parents = route.parents.iter();
        let mut services = parents.filter_map(|one| self.snapshot.services().get(&one.service));
        match services.find(|service| service.is_served_by(waypoint)) {
            Some(service) => self.of_service(service, route),
            None => no("NoService", "no Service of the waypoint is left to the route"),
        }
    }

    fn of_service(&self, service: &Service, route: &HttpRoute) -> Condition {
        let mut waypoints = service.waypoints().peekable();
        if waypoints.peek().is_none() {
            return no("NoWaypoint", "no waypoint stands before the parent");
        }
        let mut lacking = Vec::new();
        for waypoint in waypoints {
            if self.is_of_nodes(waypoint) {
                let message = format!(
                    "waypoint {waypoint} runs in the agents of its clients' nodes, which do not \
                     say what they apply"
                );
                return Condition::new(PROGRAMMED, Truth::Unknown, "NotReported", message);
            }
            lacking.extend(self.lacking(waypoint, route));
        }
        match lacking.as_slice() {
            [] => {
                let message = "Every ready pod of its waypoints has applied the route";
                Condition::new(PROGRAMMED, true, PROGRAMMED, message)
            }
            [only] => no("Pending", only),
            [first, more @ ..] => no("Pending", &format!("{first}, and {} more", more.len())),
        }
    }

    fn is_of_nodes(&self, waypoint: &ObjectName) -> bool {
        let waypoint = self.snapshot.waypoints().get(waypoint);
        waypoint.is_some_and(|one| one.placement == Placement::Node)
    }

    /// What keeps the route from being in force everywhere at a waypoint.
    fn lacking(&self, waypoint: &ObjectName, route: &HttpRoute) -> Vec<String> {
        let pods = self.snapshot.instances_of(waypoint).iter();
        let mut ready = pods.filter(|pod| pod.ready).peekable();
        if ready.peek().is_none() {
            return vec![format!("waypoint {waypoint} has no ready pod")];
        }
        let lacking = ready.filter_map(|pod| {
            let name = &pod.name;
            let generation = route.version.generation;
            match self.applied.of_pod(&pod.uid) {
                None => Some(format!("waypoint pod {name} has not said what it applied")),
                Some(routes) if routes.have(self.object, &route.version) => None,
                Some(_) => {
                    Some(format!("waypoint pod {name} has not applied generation {generation}"))
                }
            }
        });
        lacking.collect()
    }
}

fn no(reason: &str, message: &str) -> Condition {
    Condition::new(PROGRAMMED, false, reason, message)
}

/// The kind of parents that are waypoints.
const GATEWAY: &str = "Gateway";
/// The kind of parents that stand for several Services.
const ENTRY: &str = "ServiceEntry";
