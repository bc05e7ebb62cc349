//! The roots in a ConfigMap of every namespace, for whoever must verify the authority or a
//! workload.
//!
//! Only the leader writes them.
//!
//! **Invariant:** nothing is written where it already says the same.
//! **Invariant:** a ConfigMap of that name which is not ours is left alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
    runtime::{WatchStreamExt, watcher},
};
use serde_json::{Value, json};
use tokio::{sync::watch, time::sleep};

use crate::{
    identity::ca::{Contents, ROOT_CERT},
    sync::objects::Objects,
};

/// Keeps the roots in every namespace; ends with its sources.
pub async fn spread(
    client: Client,
    mut objects: watch::Receiver<Arc<Objects>>,
    mut contents: watch::Receiver<Arc<Contents>>,
) {
    let api: Api<ConfigMap> = Api::all(client.clone());
    let ours = watcher::Config::default().labels(&format!("{LABEL}={VALUE}"));
    let mut events = pin!(watcher(api, ours).default_backoff());
    let mut there = There::default();
    loop {
        if there.is_listed {
            let wanted = namespaces(&objects.borrow_and_update());
            let roots = contents.borrow_and_update().authority.roots_pem();
            let lacking = there.lacking(&wanted, &roots);
            let failed = write(&client, lacking, &roots).await;
            there.is_late = failed > 0;
        }
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(event)) => there.note(event),
                Some(Err(cause)) => {
                    tracing::warn!(%cause, "watching the ConfigMaps of the authority's roots");
                }
                None => return,
            },
            changed = objects.changed() => if changed.is_err() { return },
            changed = contents.changed() => if changed.is_err() { return },
            () = sleep(RETRY), if there.is_late => {}
        }
    }
}

/// The ConfigMaps of ours that are there.
#[derive(Debug, Default)]
struct There {
    /// Whether they were listed once.
    is_listed: bool,
    /// Whether some could not be written.
    is_late: bool,
    roots: BTreeMap<String, String>,
    listing: BTreeMap<String, String>,
}

impl There {
    fn note(&mut self, event: watcher::Event<ConfigMap>) {
        match event {
            watcher::Event::Init => self.listing.clear(),
            watcher::Event::InitApply(map) => self.listing.extend(entry(map)),
            watcher::Event::InitDone => {
                self.roots = std::mem::take(&mut self.listing);
                self.is_listed = true;
            }
            watcher::Event::Apply(map) => self.roots.extend(entry(map)),
            watcher::Event::Delete(map) => {
                if let Some((namespace, _)) = entry(map) {
                    self.roots.remove(&namespace);
                }
            }
        }
    }

    /// Namespaces that do not have these roots yet.
    fn lacking(&self, namespaces: &BTreeSet<String>, roots: &str) -> Vec<String> {
        let lacks = |name: &&String| self.roots.get(*name).is_none_or(|known| known != roots);
        namespaces.iter().filter(lacks).cloned().collect()
    }
}

/// Where it is, and the roots in it.
fn entry(map: ConfigMap) -> Option<(String, String)> {
    let is_it = map.metadata.name.as_deref() == Some(CONFIG_MAP);
    let roots = map.data.and_then(|mut data| data.remove(ROOT_CERT)).unwrap_or_default();
    map.metadata.namespace.filter(|_| is_it).map(|namespace| (namespace, roots))
}

/// Namespaces in which something may be made.
fn namespaces(objects: &Objects) -> BTreeSet<String> {
    let stays = |phase: Option<&str>| phase != Some("Terminating");
    let namespaces = objects.namespaces.iter().filter(|(_, namespace)| {
        stays(namespace.status.as_ref().and_then(|status| status.phase.as_deref()))
    });
    namespaces.map(|(name, _)| name.name.clone()).collect()
}

/// Writes the roots into namespaces, a few at a time; says how many of them failed.
async fn write(client: &Client, namespaces: Vec<String>, roots: &str) -> usize {
    let written = stream::iter(namespaces).map(|namespace| async move {
        let api: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
        let params = PatchParams::apply(FIELD_MANAGER);
        let written = api.patch(CONFIG_MAP, &params, &Patch::Apply(config_map(roots))).await;
        written.map_err(|cause| {
            tracing::warn!(namespace, %cause, "the authority's roots cannot be written there");
        })
    });
    let failed = written.buffer_unordered(WRITES_MAX).filter(|written| {
        let is_failed = written.is_err();
        async move { is_failed }
    });
    failed.count().await
}

fn config_map(roots: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": CONFIG_MAP,
            "labels": { LABEL: VALUE, "app.kubernetes.io/part-of": "waypoint" },
        },
        "data": { ROOT_CERT: roots },
    })
}

/// The name of the ConfigMap.
pub const CONFIG_MAP: &str = "waypoint-ca-root-cert";
/// What tells our ConfigMaps from all others.
const LABEL: &str = "waypoint.dev/config";
const VALUE: &str = "ca-root";
/// Who owns the fields that are written.
const FIELD_MANAGER: &str = "waypoint.dev/controller";
/// How many namespaces are written to at once.
const WRITES_MAX: usize = 8;
/// How long until what failed is tried again.
const RETRY: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
