//! One write of one object's status.
//!
//! It decides nothing. What is one value to the API server is read, changed where it is ours, and
//! written only if nobody changed it meanwhile; what the API server merges by itself, which are the
//! conditions of a Service, is applied.

mod counts;

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use kube::{
    Api, Client, Error,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::telemetry::metrics::Registry;

use self::counts::Counts;
use super::{current, entry::say_the_same, merge, wanted::Wanted};

/// What came of a write.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// The object says what it is to say, as far as it is ours.
    Written,
    /// There is no such object any more.
    Gone,
    /// It is to be tried again.
    Failed,
}

/// Writes; clones count together.
#[derive(Clone)]
pub(super) struct Writes {
    client: Client,
    counts: Arc<Counts>,
}

impl Writes {
    pub(super) fn new(client: Client, registry: &Registry) -> Self {
        Self { client, counts: Counts::register(registry) }
    }

    /// Writes what is wanted.
    pub(super) async fn write(&self, wanted: &Wanted) -> Outcome {
        for version in wanted.kind.versions() {
            match self.write_in(version, wanted).await {
                Ok(()) => return Outcome::Written,
                // The object is gone, or this version of it is not served.
                Err(Error::Api(status)) if status.code == NOT_FOUND => {}
                Err(cause) => {
                    tracing::warn!(object = %wanted.object, %cause, "status could not be written");
                    return Outcome::Failed;
                }
            }
        }
        Outcome::Gone
    }

    async fn write_in(&self, version: &str, wanted: &Wanted) -> Result<(), Error> {
        let resource = wanted.kind.resource(version);
        let name = &wanted.object.name;
        let api = Api::namespaced_with(self.client.clone(), &name.namespace, &resource);
        if wanted.kind.is_merged() {
            self.apply(&api, &resource, wanted).await
        } else {
            self.change(&api, wanted).await
        }
    }

    /// Applies our conditions alone; one that another controller says differs is left to it.
    async fn apply(
        &self,
        api: &Api<DynamicObject>,
        resource: &ApiResource,
        wanted: &Wanted,
    ) -> Result<(), Error> {
        let now = now();
        let items = wanted.entries.iter().map(|entry| entry.item(&wanted.current, &now));
        let body = json!({
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": { "name": wanted.object.name.name, "uid": wanted.uid },
            "status": { wanted.kind.list(): items.collect::<Vec<_>>() },
        });
        let name = &wanted.object.name.name;
        let parameters = PatchParams::apply(FIELD_MANAGER);
        let written = api.patch_status(name, &parameters, &Patch::Apply(&body)).await;
        self.counts.count(wanted.kind.as_str(), written.map(drop))
    }

    /// Changes our part of a list that is one value to the API server.
    async fn change(&self, api: &Api<DynamicObject>, wanted: &Wanted) -> Result<(), Error> {
        let name = &wanted.object.name.name;
        let live = api.get(name).await?;
        let status = live.data.get("status").unwrap_or(&Value::Null);
        let is_other = wanted.uid.is_some() && live.metadata.uid != wanted.uid;
        if is_other || say_the_same(&current::of_status(wanted.kind, status), &wanted.entries) {
            return Ok(());
        }
        let list = status.get(wanted.kind.list()).unwrap_or(&Value::Null);
        let now = now();
        let list = match wanted.kind.types() {
            Some(types) => merge::conditions(list, types, &wanted.entries, &now),
            None => merge::parents(list, wanted.kind.reference(), &wanted.entries, &now),
        };
        let body = json!({
            "metadata": { "resourceVersion": live.metadata.resource_version },
            "status": { wanted.kind.list(): list },
        });
        let parameters =
            PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let written = api.patch_status(name, &parameters, &Patch::Merge(&body)).await;
        self.counts.count(wanted.kind.as_str(), written.map(drop))
    }
}

/// This second, as API servers write it.
fn now() -> String {
    let second = Timestamp::now().as_second();
    Timestamp::from_second(second).map(|time| time.to_string()).unwrap_or_default()
}

/// Who owns what is written.
const FIELD_MANAGER: &str = "waypoint.dev/controller";
/// The code of objects that are not there.
const NOT_FOUND: u16 = 404;
