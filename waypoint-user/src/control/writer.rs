//! One write to the API server: read what is there, and write only what differs.
//!
//! It decides neither what is wanted nor when a write that failed is tried again (`desk`).
//!
//! **Invariant:** nothing is written when the object already has all that is wanted of it and
//! nothing that was wanted before, as its own record of who wrote which field says.
//! **Invariant:** an object that must bear a label of ours is left alone when it does not.

mod error;
mod fields;
mod tally;

use std::{future::Future, sync::Arc};

use futures_util::{FutureExt, future::BoxFuture};
use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions},
};
use serde_json::{Value, json};

use crate::telemetry::metrics::Registry;

use super::kind::{Part, Target};

use self::tally::Tally;
pub use self::{error::Error, fields::is_settled};

/// Who writes, as objects record it of each of their fields.
pub const FIELD_MANAGER: &str = "waypoint.dev/controller";

/// Something to write.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// These fields are ours and have these values; fields that were ours before and are not among
    /// them go. Kind, name and namespace are added.
    Apply {
        /// The fields.
        content: Value,
        /// How far that goes.
        claim: Claim,
    },
    /// The object, if there is none of its name.
    Create(Value),
    /// The object of this uid goes.
    Delete {
        /// Which one, so that a namesake that came later stays.
        uid: String,
    },
}

/// How far the right to write an object's fields goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Claim {
    /// Fields that somebody else wrote stay as they are, and the write is refused.
    Shared,
    /// The same, and an object that has not this label with this value is left alone.
    Labelled(&'static str, &'static str),
    /// Fields that somebody else wrote become ours: that we write them is what the API says.
    Ours,
}

/// What came of a write.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It was so already.
    Unchanged,
    /// It is so now.
    Written,
    /// The object is gone.
    Deleted,
}

/// What writes; tests have one of their own.
pub trait Write: Clone + Send + Sync + 'static {
    /// Makes it so.
    fn write(
        &self,
        target: &Target,
        change: Arc<Change>,
    ) -> BoxFuture<'static, Result<Outcome, Error>>;
}

/// Writes to an API server; clones share the count.
#[derive(Clone)]
pub struct Writer {
    client: Client,
    tally: Tally,
}

impl Writer {
    /// Writes by this client, and counts in `waypoint_controller_writes_total`.
    pub fn new(client: Client, registry: &Registry) -> Self {
        Self { client, tally: Tally::registered(registry) }
    }

    /// Writes, and counts what came of it.
    pub async fn make(&self, target: &Target, change: &Change) -> Result<Outcome, Error> {
        let result = match change {
            Change::Apply { content, claim } => self.apply(target, content, *claim).await,
            Change::Create(content) => self.create(target, content).await,
            Change::Delete { uid } => self.delete(target, uid).await,
        };
        self.tally.count(target.kind.name, &result);
        result
    }

    async fn apply(
        &self,
        target: &Target,
        content: &Value,
        claim: Claim,
    ) -> Result<Outcome, Error> {
        let api = self.api(target);
        let failed = |cause| Error::of(target, cause);
        let there = api.get_opt(&target.name.name).await.map_err(failed)?;
        if let Some(live) = &there {
            if let Claim::Labelled(key, value) = claim
                && live.metadata.labels.as_ref().and_then(|all| all.get(key)).map(String::as_str)
                    != Some(value)
            {
                return Err(Error::Foreign { target: target.clone(), label: key });
            }
            let live = serde_json::to_value(live).unwrap_or_default();
            if is_settled(&live, content, target.part) {
                return Ok(Outcome::Unchanged);
            }
        }
        let before = there.and_then(|live| live.metadata.resource_version);
        let params = PatchParams::apply(FIELD_MANAGER);
        let params = if claim == Claim::Ours { params.force() } else { params };
        let named = named(target, content);
        let (name, patch) = (&target.name.name, Patch::Apply(&named));
        let after = match target.part {
            Part::Whole => api.patch(name, &params, &patch).await,
            Part::Status => api.patch_status(name, &params, &patch).await,
        };
        let after = after.map_err(failed)?.metadata.resource_version;
        Ok(if before.is_some() && after == before { Outcome::Unchanged } else { Outcome::Written })
    }

    async fn create(&self, target: &Target, content: &Value) -> Result<Outcome, Error> {
        let object: DynamicObject = serde_json::from_value(named(target, content))
            .map_err(|cause| Error::Malformed { target: target.clone(), cause })?;
        let params =
            PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        match self.api(target).create(&params, &object).await {
            Ok(_) => Ok(Outcome::Written),
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(Outcome::Unchanged),
            Err(cause) => Err(Error::of(target, cause)),
        }
    }

    async fn delete(&self, target: &Target, uid: &str) -> Result<Outcome, Error> {
        let only = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
        let params = DeleteParams::background().preconditions(only);
        match self.api(target).delete(&target.name.name, &params).await {
            Ok(_) => Ok(Outcome::Deleted),
            // A conflict is a namesake of another uid: what was meant is gone.
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {
                Ok(Outcome::Unchanged)
            }
            Err(cause) => Err(Error::of(target, cause)),
        }
    }

    fn api(&self, target: &Target) -> Api<DynamicObject> {
        let resource = target.kind.resource();
        match target.name.namespace.as_str() {
            "" => Api::all_with(self.client.clone(), &resource),
            namespace => Api::namespaced_with(self.client.clone(), namespace, &resource),
        }
    }
}

impl Write for Writer {
    fn write(
        &self,
        target: &Target,
        change: Arc<Change>,
    ) -> BoxFuture<'static, Result<Outcome, Error>> {
        let (writer, target) = (self.clone(), target.clone());
        // A connection that hangs must not hold up everything else.
        async move { in_time(&target, writer.make(&target, &change)).await }.boxed()
    }
}

/// The result of a write, unless the API server does not answer.
async fn in_time(
    target: &Target,
    write: impl Future<Output = Result<Outcome, Error>>,
) -> Result<Outcome, Error> {
    match tokio::time::timeout(super::ANSWER_PATIENCE, write).await {
        Ok(result) => result,
        Err(_) => Err(Error::Silent { target: target.clone() }),
    }
}

/// The object with its kind and name.
fn named(target: &Target, content: &Value) -> Value {
    let mut object = content.clone();
    if let Value::Object(fields) = &mut object {
        fields.insert("apiVersion".to_owned(), json!(target.kind.api_version()));
        fields.insert("kind".to_owned(), json!(target.kind.name));
        let metadata = fields.entry("metadata").or_insert_with(|| json!({}));
        if let Value::Object(metadata) = metadata {
            metadata.insert("name".to_owned(), json!(target.name.name));
            if !target.name.namespace.is_empty() {
                metadata.insert("namespace".to_owned(), json!(target.name.namespace));
            }
        }
    }
    object
}
