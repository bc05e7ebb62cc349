//! Routes that come before others at a port of a Service (GEP-1294, "Route types").
//!
//! Only one kind counts at a port: GRPCRoutes, else HTTPRoutes, else TLSRoutes, else TCPRoutes; and
//! of TCPRoutes, which all match everything, the oldest. What is spoken decides first: at a port
//! that is declared as HTTP, routes of connections do not count, and at one that is declared as
//! something else no HTTPRoute stands in their way. Routes for the clients of one namespace are
//! apart from those for all.
//!
//! **Invariant:** kinds are asked about in the order of their specificity, each after what comes
//! before it has taken its ports.

use std::collections::HashMap;

use crate::mesh::{
    object::{ObjectName, ObjectRef},
    route::{HttpRoute, RouteKind, ServiceParent},
    service::{AppProtocol, Service},
};

use super::{route_parents::Refused, routes::Services};

/// Ports that are taken.
pub(super) struct Rivals<'a> {
    services: &'a Services,
    taken: HashMap<At, Holder>,
}

/// A port of a Service, for some clients.
#[derive(Eq, PartialEq, Hash)]
struct At {
    service: ObjectName,
    port: u16,
    clients: Option<String>,
}

/// Who has it.
struct Holder {
    kind: RouteKind,
    route: ObjectName,
}

/// What is left of the parents of a route.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Left {
    /// What the route is attached to.
    pub(super) parents: Vec<ServiceParent>,
    /// Why not to all of it, and at which port of which Service; nothing where it is.
    pub(super) lost: Option<Lost>,
}

/// A port that is not a route's, and why.
pub(super) type Lost = (ObjectName, u16, Refused);

impl<'a> Rivals<'a> {
    /// None yet.
    pub(super) fn new(services: &'a Services) -> Self {
        Self { services, taken: HashMap::new() }
    }

    /// Has a route take the ports that it is attached to, as far as nobody has them.
    pub(super) fn take(&mut self, route: &HttpRoute) {
        for parent in &route.parents {
            let Some(service) = self.services.get(&parent.service) else { continue };
            for port in ports(service, parent) {
                let is_of_connections = route.kind.is_of_connections();
                let new = || Holder { kind: route.kind, route: route.name.clone() };
                let holder = self.taken.entry(at(parent, port)).or_insert_with(new);
                if is_of_connections && !holder.kind.is_of_connections() {
                    // It was not in the way.
                    *holder = new();
                }
            }
        }
    }

    /// What is left to a route of what it asks for; an error where that is nothing.
    pub(super) fn left(&self, kind: RouteKind, asked: Vec<ServiceParent>) -> Result<Left, Refused> {
        let mut left = Left { parents: Vec::new(), lost: None };
        let asks = !asked.is_empty();
        for parent in asked {
            let Some(service) = self.services.get(&parent.service) else { continue };
            let (mut kept, mut lost) = (Vec::new(), None::<Lost>);
            for port in ports(service, &parent) {
                match self.refused(kind, service, &at(&parent, port)) {
                    None => kept.push(ServiceParent { port: Some(port), ..parent.clone() }),
                    Some(refused) => {
                        let known = lost.take().filter(|(.., (reason, _))| *reason == CONFLICTED);
                        lost = known.or(Some((service.name.clone(), port, refused)));
                    }
                }
            }
            // Requests are told apart port by port as they come.
            let is_whole = lost.is_none() || (!kept.is_empty() && !kind.is_of_connections());
            left.parents.extend(if is_whole { vec![parent] } else { kept });
            left.lost = left.lost.or(lost);
        }
        match left.lost {
            Some((_, _, refused)) if asks && left.parents.is_empty() => Err(refused),
            lost => Ok(Left { lost, ..left }),
        }
    }

    /// Why a port is not a route's, if it is not.
    fn refused(&self, kind: RouteKind, service: &Service, at: &At) -> Option<Refused> {
        let declared = service.port(at.port).map(|port| port.protocol).unwrap_or_default();
        if kind.is_of_connections() && matches!(declared, AppProtocol::Http | AppProtocol::Http2) {
            let message = format!(
                "port {} of {} is declared as HTTP, and a {} is for ports that are not",
                at.port,
                service.name,
                kind.as_str()
            );
            return Some(("UnsupportedValue", message));
        }
        let holder = self.taken.get(at)?;
        let is_passed = kind.is_of_connections()
            && !holder.kind.is_of_connections()
            && declared == AppProtocol::Tcp;
        let is_rival = holder.kind > kind || (holder.kind == kind && kind == RouteKind::Tcp);
        (is_rival && !is_passed).then(|| {
            let holder_is = if holder.kind == kind { "older" } else { "more specific" };
            let other = ObjectRef::new(holder.kind.as_str(), holder.route.clone());
            let (port, service) = (at.port, &service.name);
            let message =
                format!("{other} is attached to port {port} of {service} and {holder_is}");
            (CONFLICTED, message)
        })
    }
}

fn at(parent: &ServiceParent, port: u16) -> At {
    At { service: parent.service.clone(), port, clients: parent.clients.clone() }
}

/// The ports of a Service that a parent stands for.
fn ports<'s>(service: &'s Service, parent: &ServiceParent) -> impl Iterator<Item = u16> + use<'s> {
    let wanted = parent.port;
    let ports = service.ports.iter().map(|port| port.number);
    ports.filter(move |port| wanted.is_none_or(|wanted| wanted == *port))
}

/// The reason of routes that others come before.
const CONFLICTED: &str = "Conflicted";

#[cfg(test)]
mod tests;
