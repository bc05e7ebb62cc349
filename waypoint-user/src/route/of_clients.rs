//! Rules for the clients of each namespace that has routes of its own, and for all others.

use std::{collections::HashMap, sync::Arc};

use crate::mesh::{object::ObjectName, route::HttpRoute};

use super::applying;

/// What the routes of a port of a Service compile to.
#[derive(Debug)]
pub(super) struct OfClients<R> {
    of_all: Option<R>,
    of_clients: HashMap<String, R>,
}

impl<R> OfClients<R> {
    /// Compiles the routes that apply, in order, for each who has any; `None` when nobody has.
    pub(super) fn compile(
        routes: &[Arc<HttpRoute>],
        (service, port): (&ObjectName, u16),
        compile: impl Fn(&[Arc<HttpRoute>]) -> Option<R>,
    ) -> Option<Self> {
        let of = |clients: Option<&str>| compile(&applying(routes, (service, port), clients));
        let of_routes = |route: &Arc<HttpRoute>| {
            let clients = route.clients(service, port)??;
            Some((clients.to_owned(), of(Some(clients))?))
        };
        let of_clients: HashMap<_, _> = routes.iter().filter_map(of_routes).collect();
        let of_all = of(None);
        (of_all.is_some() || !of_clients.is_empty()).then_some(Self { of_all, of_clients })
    }

    /// Whether the clients of a namespace have some of their own.
    pub(super) fn are_own(&self, namespace: Option<&str>) -> bool {
        namespace.is_some_and(|namespace| self.of_clients.contains_key(namespace))
    }

    /// Those for a client of a namespace, or of none that is known; `None` when there are none.
    pub(super) fn rules(&self, namespace: Option<&str>) -> Option<&R> {
        let own = namespace.filter(|_| !self.of_clients.is_empty());
        own.and_then(|namespace| self.of_clients.get(namespace)).or(self.of_all.as_ref())
    }
}
