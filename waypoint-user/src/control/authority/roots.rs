//! The roots in a ConfigMap of every namespace, for whoever must verify the authority or a
//! workload.
//!
//! Only the leader writes them. When a write is made, and again after it failed, is the desk's.
//!
//! **Invariant:** nothing is written where it already says the same.
//! **Invariant:** a field that somebody else wrote stays theirs.

use std::sync::Arc;

use kube::Client;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

use crate::{
    control::{
        desk::{Desk, Settled, Wanted},
        kind::{self, Target},
        mirror::{Mirror, Scope, Shelf},
        writer::{Change, Claim, Writer},
    },
    identity::ca::{Contents, ROOT_CERT},
    mesh::object::ObjectName,
    sync::objects::Objects,
};

/// Keeps the roots in every namespace; ends with its sources.
pub async fn spread(
    client: Client,
    writer: Writer,
    mut objects: watch::Receiver<Arc<Objects>>,
    mut contents: watch::Receiver<Arc<Contents>>,
) {
    let bell = Arc::new(Notify::new());
    let ours = Scope { labels: Some(format!("{LABEL}={VALUE}")), ..Scope::default() };
    let there = Mirror::follow(client, kind::CONFIG_MAP, ours, Arc::clone(&bell));
    let mut desk = Desk::new(writer, WRITES_MAX);
    loop {
        if let Some(there) = there.shelf() {
            let roots = contents.borrow_and_update().authority.roots_pem();
            desk.offer(wanted(&objects.borrow_and_update(), &there, &roots));
        }
        tokio::select! {
            settled = desk.next() => tell(&settled),
            () = bell.notified() => {}
            changed = objects.changed() => if changed.is_err() { return },
            changed = contents.changed() => if changed.is_err() { return },
        }
    }
}

/// What namespaces lack. Nothing can be made in one that ends.
fn wanted(objects: &Objects, there: &Shelf, roots: &str) -> Vec<Wanted> {
    let stays = objects.namespaces.iter().filter(|(_, namespace)| {
        let phase = namespace.status.as_ref().and_then(|status| status.phase.as_deref());
        phase != Some("Terminating")
    });
    let names = stays.map(|(namespace, _)| ObjectName::new(&namespace.name, CONFIG_MAP));
    let lacking = names.filter(|name| {
        let known = there.get(name).and_then(|map| map.get("data")?.get(ROOT_CERT)?.as_str());
        known != Some(roots)
    });
    let change = |name| {
        let change = Change::Apply { content: content(roots), claim: Claim::Shared };
        Wanted::new(Target::whole(kind::CONFIG_MAP, name), change)
    };
    lacking.map(change).collect()
}

fn content(roots: &str) -> Value {
    json!({
        "metadata": { "labels": { LABEL: VALUE, "app.kubernetes.io/part-of": "waypoint" } },
        "data": { ROOT_CERT: roots },
    })
}

/// Logs a failure when it is new.
fn tell(Settled { target, result, repeats }: &Settled) {
    if let (Err(cause), 0) = (result, repeats) {
        tracing::warn!(%target, %cause, "the authority's roots cannot be written there");
    }
}

/// The name of the ConfigMap.
pub const CONFIG_MAP: &str = "waypoint-ca-root-cert";
/// What tells our ConfigMaps from all others.
const LABEL: &str = "waypoint.dev/config";
const VALUE: &str = "ca-root";
/// How many namespaces are written to at once.
const WRITES_MAX: usize = 8;

#[cfg(test)]
mod tests;
