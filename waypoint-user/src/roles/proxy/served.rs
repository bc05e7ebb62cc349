//! Tells what a waypoint goes by: the routes of what it serves, each with its version.
//!
//! It asks only the engine; what there should be is the controller's to know.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    mesh::{
        object::ObjectName,
        route::{HttpRoute, RouteKind},
        snapshot::Snapshot,
    },
    telemetry::applied::Publisher,
};

/// Tells of every Snapshot that the engine comes to go by, until shutdown.
pub(super) async fn tell(
    mut in_force: watch::Receiver<Option<Arc<Snapshot>>>,
    gateway: ObjectName,
    mut publisher: Publisher,
    shutdown: CancellationToken,
) {
    let mut before = None;
    loop {
        let snapshot = in_force.borrow_and_update().clone();
        if let Some(snapshot) = snapshot {
            let routes = routes(&snapshot, &gateway);
            if before.as_ref() != Some(&routes) {
                publisher.show(|version| page(version, &gateway, &routes));
                before = Some(routes);
            }
        }
        let changed = shutdown.run_until_cancelled(in_force.changed()).await;
        if !matches!(changed, Some(Ok(()))) {
            return;
        }
    }
}

/// The routes of what the waypoint serves, by kind.
fn routes(snapshot: &Snapshot, gateway: &ObjectName) -> Map<String, Value> {
    let serves = |service: &ObjectName| {
        snapshot.services().get(service).is_some_and(|service| service.is_served_by(gateway))
    };
    let listed = |routes: &BTreeMap<ObjectName, Arc<HttpRoute>>| {
        let routes = routes.values();
        let served = routes.filter(|one| one.parents.iter().any(|parent| serves(&parent.service)));
        let shown = served.map(|route| {
            json!({
                "namespace": route.name.namespace,
                "name": route.name.name,
                "uid": route.version.uid,
                "generation": route.version.generation,
            })
        });
        Value::Array(shown.collect())
    };
    let of_kind =
        |kind: RouteKind| (kind.as_str().to_owned(), listed(snapshot.routes_of_kind(kind)));
    RouteKind::ALL.into_iter().map(of_kind).collect()
}

fn page(version: &str, gateway: &ObjectName, routes: &Map<String, Value>) -> String {
    let page = json!({ "version": version, "gateway": gateway.to_string(), "routes": routes });
    format!("{page}\n")
}

#[cfg(test)]
mod tests;
