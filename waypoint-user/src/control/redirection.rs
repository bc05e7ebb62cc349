//! The mark on pods whose connections are captured: annotation `ambient.istio.io/redirection`.
//!
//! The agent of a node writes it on the node's pods, and takes it away again. Nothing goes by it
//! here; people, and Istio's own tools, see by it which pods are in the mesh.
//!
//! **Invariant:** nothing is written that is there already, and nothing twice for one change, even
//! while the API server's news of it is on its way.
//! **Invariant:** a pod that took the name of another is never marked in its place.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
    core::Status,
};
use serde_json::json;
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    mesh::{
        label::{REDIRECTION, REDIRECTION_ENABLED},
        object::ObjectName,
    },
    sync::objects::Objects,
};

/// The pods whose connections are captured, with their uids.
pub type Captured = BTreeMap<ObjectName, Arc<str>>;

/// What is followed: nothing is captured, or not, before the first word of it.
#[derive(Debug)]
pub struct Sources {
    /// The node whose pods are marked.
    pub node: String,
    /// Which of them are captured.
    pub captured: watch::Receiver<Option<Arc<Captured>>>,
    /// The pods as they are.
    pub objects: watch::Receiver<Arc<Objects>>,
}

/// Keeps the marks of a node's pods true, until shutdown.
pub async fn follow(client: Client, mut sources: Sources, shutdown: CancellationToken) {
    let mut marks = Marks { client, written: HashMap::new(), complaint: None };
    loop {
        let captured = sources.captured.borrow_and_update().clone();
        let objects = Arc::clone(&sources.objects.borrow_and_update());
        let outcome = match captured {
            Some(captured) => {
                let write = marks.write(&objects, &captured, &sources.node);
                let Some(outcome) = shutdown.run_until_cancelled(write).await else { return };
                outcome
            }
            None => Ok(()),
        };
        let again = async {
            if outcome.is_ok() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        };
        let changed = tokio::select! {
            () = shutdown.cancelled() => return,
            () = again => Ok(()),
            changed = sources.captured.changed() => changed,
            changed = sources.objects.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
    }
}

struct Marks {
    client: Client,
    /// What was written that the objects do not show yet, by uid.
    written: HashMap<String, bool>,
    /// The last complaint, so that it is logged once.
    complaint: Option<String>,
}

impl Marks {
    /// Writes what is missing, a few at a time.
    async fn write(
        &mut self,
        objects: &Objects,
        captured: &Captured,
        node: &str,
    ) -> Result<(), ()> {
        let changes = changes(objects, captured, node);
        let is_open = |uid: &String, marked: &bool| {
            changes.iter().any(|change| change.uid == *uid && change.marked == *marked)
        };
        self.written.retain(|uid, marked| is_open(uid, marked));
        let open = changes.into_iter().filter(|change| !self.written.contains_key(&change.uid));
        let client = self.client.clone();
        let writes = open.map(|change| patch(client.clone(), change));
        let outcomes: Vec<_> = stream::iter(writes).buffer_unordered(AT_ONCE).collect().await;
        let mut failed = None;
        for (change, outcome) in outcomes {
            match outcome {
                Ok(true) => drop(self.written.insert(change.uid, change.marked)),
                // It is gone, or another has its name; the next word of it says so.
                Ok(false) => {}
                Err(cause) => failed = Some(format!("pod {}: {cause}", change.name)),
            }
        }
        self.complain(failed)
    }

    /// Logs a complaint when it is new.
    fn complain(&mut self, failed: Option<String>) -> Result<(), ()> {
        if let Some(cause) = failed.as_ref().filter(|_| failed != self.complaint) {
            tracing::warn!(cause, annotation = REDIRECTION, "captured pods cannot be marked");
        }
        self.complaint = failed;
        if self.complaint.is_some() { Err(()) } else { Ok(()) }
    }
}

/// A mark to be set or taken away.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Change {
    name: ObjectName,
    uid: String,
    marked: bool,
}

/// What differs, of a node's pods. Those that end are left alone.
fn changes(objects: &Objects, captured: &Captured, node: &str) -> Vec<Change> {
    let of_pod = |(name, pod): (&ObjectName, &Arc<Pod>)| {
        let uid = pod.metadata.uid.clone()?;
        let here = pod.spec.as_ref()?.node_name.as_deref() == Some(node);
        let annotations = pod.metadata.annotations.as_ref();
        let has = annotations.and_then(|all| all.get(REDIRECTION)).map(String::as_str);
        let is_marked = has == Some(REDIRECTION_ENABLED);
        let marked = captured.get(name).is_some_and(|captured| **captured == *uid);
        let differs = is_marked != marked && here && !has_ended(pod);
        differs.then(|| Change { name: name.clone(), uid, marked })
    };
    objects.pods.iter().filter_map(of_pod).collect()
}

/// Whether a pod has ended, or is being deleted.
fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    pod.metadata.deletion_timestamp.is_some() || matches!(phase, Some("Succeeded" | "Failed"))
}

/// Writes one mark, if the pod is still there: the uid makes it fail when another has its name. It
/// goes through the pod's status, for which less has to be allowed.
async fn patch(client: Client, change: Change) -> (Change, Result<bool, String>) {
    let value = change.marked.then_some(REDIRECTION_ENABLED);
    let content = json!({"metadata": {"uid": change.uid, "annotations": {REDIRECTION: value}}});
    let api: Api<Pod> = Api::namespaced(client, &change.name.namespace);
    let (params, content) = (PatchParams::default(), Patch::Merge(content));
    let written = timeout(PATIENCE, api.patch_status(&change.name.name, &params, &content)).await;
    let outcome = match written {
        Ok(Ok(_)) => Ok(true),
        Ok(Err(kube::Error::Api(status))) if is_gone(&status) => Ok(false),
        Ok(Err(cause)) => Err(cause.to_string()),
        Err(_) => Err("the API server does not answer".to_owned()),
    };
    (change, outcome)
}

/// Whether the pod is not there any more, or another has its name.
fn is_gone(status: &Status) -> bool {
    let causes = status.details.as_ref().map(|details| details.causes.as_slice());
    let mut causes = causes.unwrap_or_default().iter();
    status.is_not_found() || causes.any(|cause| cause.field == "metadata.uid")
}

/// Marks that are written at a time.
const AT_ONCE: usize = 8;
/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it is waited after a failure, unless something changes before.
const RETRY_PAUSE: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests;
