//! The route tables of a Snapshot, compiled once for all workers, on a thread that serves nobody.
//!
//! They decide nothing; that is `route`'s.
//!
//! **Invariant:** workers get a Snapshot together with its tables, never one without the other.
//! **Invariant:** what did not change is taken over: a change of one route compiles the tables of
//! the Services that it is attached to, and no others.

use std::{collections::HashMap, io, sync::Arc, thread};

use tokio::{runtime, sync::watch};

use crate::{
    mesh::{
        object::ObjectName, route::HttpRoute, service::Service, snapshot::Snapshot,
        waypoint::Placement,
    },
    route::{ConnectionTable, Table},
};

use super::Duty;

/// A Snapshot and its route tables.
#[derive(Debug)]
pub(super) struct Tables {
    number: u64,
    snapshot: Arc<Snapshot>,
    of_services: HashMap<ObjectName, Arc<Compiled>>,
}

/// The tables of one Service, and what they were compiled from.
#[derive(Debug)]
struct Compiled {
    /// Those of requests, and those of connections.
    routes: [Vec<Arc<HttpRoute>>; 2],
    ports: Vec<u16>,
    /// By port, where there are routes.
    tables: Vec<(u16, Arc<Table>)>,
    connections: Vec<(u16, Arc<ConnectionTable>)>,
}

impl Tables {
    /// Compiles the routes of a Snapshot that may be needed here; what `before` has already is
    /// taken from there.
    pub(super) fn compile(snapshot: Arc<Snapshot>, duty: &Duty, before: Option<&Self>) -> Self {
        let services = snapshot.services().iter();
        let routed = services.filter_map(|(name, service)| {
            let routes = [snapshot.routes_of(name), snapshot.connection_routes_of(name)];
            let routed = routes.iter().any(|of_kind| !of_kind.is_empty());
            let needed = routed && is_needed(duty, service, &snapshot);
            needed.then(|| {
                let known = before.and_then(|before| before.of_services.get(name));
                let known = known.filter(|known| known.is_of(service, routes));
                let compiled = known.cloned();
                let compiled = compiled.unwrap_or_else(|| Arc::new(Compiled::new(service, routes)));
                (name.clone(), compiled)
            })
        });
        let of_services = routed.collect();
        let number = before.map_or(0, |before| before.number.saturating_add(1));
        Self { number, snapshot, of_services }
    }

    /// How many there were before these: what is newer has the higher number.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The Snapshot.
    pub(super) fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// The routes of connections to a port of a Service; `None` where it has none.
    pub(super) fn of_connections(
        &self,
        service: &ObjectName,
        port: u16,
    ) -> Option<&Arc<ConnectionTable>> {
        let compiled = self.of_services.get(service)?;
        compiled.connections.iter().find(|(of, _)| *of == port).map(|(_, table)| table)
    }

    /// The routes of a port of a Service; `None` where it has none.
    pub(super) fn of(&self, service: &ObjectName, port: u16) -> Option<&Arc<Table>> {
        let compiled = self.of_services.get(service)?;
        compiled.tables.iter().find(|(of, _)| *of == port).map(|(_, table)| table)
    }
}

impl Compiled {
    fn new(service: &Service, [routes, connections]: [&[Arc<HttpRoute>]; 2]) -> Self {
        let ports: Vec<u16> = service.ports.iter().map(|port| port.number).collect();
        let table = |port: &u16| Some((*port, Table::compile(routes, &service.name, *port)?));
        let tables = ports.iter().filter_map(table).map(|(port, table)| (port, Arc::new(table)));
        let of_connections = |port: &u16| {
            let table = ConnectionTable::compile(connections, &service.name, *port)?;
            Some((*port, Arc::new(table)))
        };
        Self {
            routes: [routes.to_vec(), connections.to_vec()],
            tables: tables.collect(),
            connections: ports.iter().filter_map(of_connections).collect(),
            ports,
        }
    }

    fn is_of(&self, service: &Service, routes: [&[Arc<HttpRoute>]; 2]) -> bool {
        let ports = service.ports.iter().map(|port| port.number);
        self.routes == routes && ports.eq(self.ports.iter().copied())
    }
}

/// Whether requests to a Service may be routed by this process.
fn is_needed(duty: &Duty, service: &Service, snapshot: &Snapshot) -> bool {
    match duty {
        Duty::Everything => true,
        Duty::Waypoint(own) => service.is_served_by(own),
        Duty::Node(_) => service.waypoints().any(|name| {
            let waypoint = snapshot.waypoints().get(name);
            waypoint.is_none_or(|one| !matches!(one.placement, Placement::Pods(_)))
        }),
    }
}

/// Compiles the tables of every Snapshot that comes, on a thread of its own, as long as somebody
/// goes by them.
pub(super) fn follow(
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    duty: Duty,
) -> io::Result<watch::Receiver<Arc<Tables>>> {
    let first = Tables::compile(Arc::clone(&snapshots.borrow_and_update()), &duty, None);
    let (compiled, receiver) = watch::channel(Arc::new(first));
    let runtime = runtime::Builder::new_current_thread().build()?;
    let follow = async move {
        loop {
            tokio::select! {
                changed = snapshots.changed() => if changed.is_err() { break },
                () = compiled.closed() => return,
            }
            let snapshot = Arc::clone(&snapshots.borrow_and_update());
            let before = Arc::clone(&compiled.borrow());
            compiled.send_replace(Arc::new(Tables::compile(snapshot, &duty, Some(&before))));
        }
        // No more Snapshots come, but the last one stays in force.
        compiled.closed().await;
    };
    thread::Builder::new()
        .name("routes".to_owned())
        .spawn(move || runtime.block_on(follow))
        .map(|_| receiver)
}

#[cfg(test)]
mod tests;
