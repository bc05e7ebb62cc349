//! The objects of a lab in a control plane that it has for itself while it stands.
//!
//! What a kubelet would write, pods' status above all, is written here.
//!
//! **Invariant:** a control plane is handed on empty: without any object of a lab, and with its
//! namespaces unlabelled; one that cannot be emptied is not handed on.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result};
use serde_json::{Deserializer, Value};

use super::{metrics::Metrics, netns::Netns, object::GATEWAY_NAME};
use crate::kube::{ControlPlane, Door};

/// A lab's stay.
#[derive(Debug)]
pub(super) struct Tenancy {
    // Closed before what is behind them goes.
    doors: Mutex<BTreeMap<String, Door>>,
    plane: Option<ControlPlane>,
    /// What waits until everything is there that belongs to it.
    waiting: Option<Vec<String>>,
    namespaces: BTreeSet<String>,
    expectation: Expectation,
}

/// What shows that every edit is in force.
#[derive(Clone, Debug, Default)]
pub(super) struct Expectation {
    /// The newest resource version that was written of each kind.
    versions: BTreeMap<String, u64>,
}

impl Expectation {
    /// Whether a process has read all of it.
    pub(super) fn is_met_by(&self, metrics: &Metrics) -> bool {
        self.versions.iter().all(|(kind, version)| {
            let labels = [("kind", kind.as_str())];
            // What a process never reads, it need not have read.
            let reads = metrics.has(VERSIONS, &labels);
            !reads || whole(metrics.sum(VERSIONS, &labels)) >= *version
        })
    }
}

impl Tenancy {
    /// Takes over a control plane that another lab has left, or starts one.
    pub(super) fn begin() -> Result<Self> {
        let vacant = VACANT.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let plane = vacant.map_or_else(ControlPlane::start, Ok)?;
        Ok(Self {
            doors: Mutex::new(BTreeMap::new()),
            plane: Some(plane),
            waiting: Some(Vec::new()),
            namespaces: BTreeSet::new(),
            expectation: Expectation::default(),
        })
    }

    /// The control plane.
    #[allow(clippy::expect_used, reason = "it is taken when the tenancy ends, and not before")]
    pub(super) fn plane(&self) -> &ControlPlane {
        self.plane.as_ref().expect("a tenancy has a control plane")
    }

    /// The administrator's credentials for processes in a namespace.
    pub(super) fn door_in(&self, netns: &Netns) -> Result<PathBuf> {
        let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        if !doors.contains_key(netns.name()) {
            doors.insert(netns.name().to_owned(), self.plane().door_in(netns)?);
        }
        Ok(doors.get(netns.name()).context("it was inserted")?.kubeconfig().to_owned())
    }

    /// Writes everything that waited.
    pub(super) fn move_in(&mut self) -> Result<()> {
        let mut waiting = self.waiting.take().unwrap_or_default();
        waiting.push(bare_namespace(SYSTEM));
        self.namespaces.insert(SYSTEM.to_owned());
        self.write(&waiting)
    }

    /// Waits until every Gateway is somewhere, and expects that to be known.
    pub(super) fn await_gateways(&mut self) -> Result<()> {
        let plane = self.plane();
        plane.kubectl(
            &[&["wait", "--for=condition=Programmed", "--all", "--timeout=60s"], GATEWAYS].concat(),
        )?;
        let all = plane.kubectl(&[&["get", "--output=json"], GATEWAYS].concat())?;
        let all: Value = serde_json::from_str(&all)?;
        let items = all.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        items.iter().try_for_each(|gateway| self.expectation.add(gateway))
    }

    /// Writes objects, or lets them wait.
    pub(super) fn apply(&mut self, text: &str) -> Result<()> {
        let documents: Vec<_> = text.split("\n---").map(for_servers).collect();
        if let Some(waiting) = &mut self.waiting {
            waiting.extend(documents);
            return Ok(());
        }
        self.write(&documents)
    }

    /// Removes objects at once, as if nothing had to end before.
    pub(super) fn delete(&mut self, text: &str) -> Result<()> {
        let text = for_servers(text);
        let plane = self.plane();
        plane.kubectl_with(plane.kubeconfig(), REMOVE, &text)?;
        // A deletion is an event with a version of its own, after all that was written before.
        let kinds = text.lines().filter_map(|line| line.strip_prefix("kind: "));
        for kind in kinds {
            *self.expectation.versions.entry(kind.trim().to_owned()).or_default() += 1;
        }
        Ok(())
    }

    /// Does not expect objects of a kind to be read that were written so far.
    pub(super) fn forget(&mut self, kind: &str) {
        self.expectation.versions.remove(kind);
    }

    /// What shows that all of this is in force.
    pub(super) fn expectation(&self) -> Expectation {
        self.expectation.clone()
    }

    fn write(&mut self, documents: &[String]) -> Result<()> {
        // Namespaces first, and accounts: nothing is admitted without them.
        let (first, rest): (Vec<_>, Vec<_>) =
            documents.iter().partition(|document| document.contains("\nkind: Namespace\n"));
        let mut all: Vec<_> = first.into_iter().cloned().collect();
        all.extend(self.grounds(documents));
        all.extend(rest.into_iter().cloned());
        let stateless: Vec<_> = all.iter().map(|document| stateless(document)).collect();
        self.send(APPLY, &stateless)?;
        all.retain(|document| document.contains("\nstatus:"));
        // Two addresses of a node may be of one type, which merging takes for a mistake.
        let (nodes, others): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|document| document.contains("\nkind: Node\n"));
        self.send(&[REPLACE, STATUS].concat(), &nodes)?;
        self.send(&[APPLY, STATUS].concat(), &others)
    }

    /// What objects presuppose and a directory of manifests need not have.
    fn grounds(&mut self, documents: &[String]) -> Vec<String> {
        let text = documents.concat();
        let mut grounds = Vec::new();
        let declared =
            |name: &str| text.contains(&format!("kind: Namespace\nmetadata:\n  name: {name}\n"));
        for namespace in values(&text, "namespace: ") {
            if self.namespaces.insert(namespace.to_owned()) && !declared(namespace) {
                grounds.push(bare_namespace(namespace));
            }
        }
        for pod in documents.iter().filter(|document| document.contains("kind: Pod\n")) {
            let (account, namespace) =
                (values(pod, "serviceAccountName: "), values(pod, "namespace: "));
            if let (Some(account), Some(namespace)) = (account.first(), namespace.first()) {
                // A waypoint's account is its controller's, which would have made it.
                let is_waypoint = pod.contains(&format!("{GATEWAY_NAME}: "));
                let labels = if is_waypoint { MANAGED } else { "{}" };
                let meta =
                    format!("{{name: {account:?}, namespace: {namespace}, labels: {labels}}}");
                grounds.push(format!("apiVersion: v1\nkind: ServiceAccount\nmetadata: {meta}\n"));
            }
        }
        grounds
    }

    fn send(&mut self, arguments: &[&str], documents: &[String]) -> Result<()> {
        if documents.is_empty() {
            return Ok(());
        }
        let plane = self.plane();
        let text = documents.join("\n---\n");
        let written = plane.kubectl_with(plane.kubeconfig(), arguments, &text)?;
        // One document, or several, or a list.
        for object in Deserializer::from_str(&written).into_iter::<Value>() {
            let object = object.context("kubectl printed no JSON")?;
            let several = object.get("items").and_then(Value::as_array).cloned();
            for object in several.unwrap_or_else(|| vec![object]) {
                self.expectation.add(&object)?;
            }
        }
        Ok(())
    }

    /// Leaves nothing behind.
    fn move_out(&self) -> Result<()> {
        let plane = self.plane();
        for namespace in self.namespaces.iter().map(String::as_str).chain(["default"]) {
            plane.kubectl(&[CLEAR, &["--namespace", namespace]].concat())?;
        }
        plane.kubectl(&["delete", "nodes,gatewayclasses", "--all"])?;
        let bare: Vec<_> = self.namespaces.iter().map(|name| bare_namespace(name)).collect();
        if bare.is_empty() { Ok(()) } else { plane.apply(&bare.join("---\n")) }
    }
}

impl Expectation {
    fn add(&mut self, object: &Value) -> Result<()> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
        let kind = text("/kind").context("an object without a kind")?;
        let version = text("/metadata/resourceVersion").context("an object without a version")?;
        let newest = self.versions.entry(kind.to_owned()).or_default();
        *newest = version.parse::<u64>()?.max(*newest);
        Ok(())
    }
}

impl Drop for Tenancy {
    fn drop(&mut self) {
        self.doors.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
        let left = self.move_out();
        if let (Ok(()), Some(plane)) = (left, self.plane.take()) {
            VACANT.lock().unwrap_or_else(PoisonError::into_inner).push(plane);
        }
    }
}

/// A document without what only a server may say.
fn for_servers(document: &str) -> String {
    let lines = document.lines().filter(|line| !line.starts_with("  uid: ") && *line != "---");
    lines.fold(String::from("\n"), |all, line| all + line + "\n")
}

/// A document without its status, which only a request of its own changes.
fn stateless(document: &str) -> String {
    let Some((before, status)) = document.split_once("\nstatus:") else {
        return document.to_owned();
    };
    let after = status.lines().skip(1).skip_while(|line| line.starts_with([' ', '-']));
    after.fold(format!("{before}\n"), |all, line| all + line + "\n")
}

fn bare_namespace(name: &str) -> String {
    format!("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n")
}

/// Everything that stands behind a key, each once; the key of a label is another one.
fn values<'t>(text: &'t str, key: &str) -> Vec<&'t str> {
    let places = text
        .match_indices(key)
        .filter(|(at, _)| text.get(..*at).is_some_and(|before| before.ends_with([' ', '{', '\n'])));
    let behind = places.filter_map(|(at, _)| text.get(at + key.len()..));
    let words = behind.filter_map(|rest| rest.split([',', '}', '\n', ' ']).next());
    let words = words.map(|word| word.trim_matches(['"', '\'']));
    let words: BTreeSet<_> = words.filter(|word| !word.is_empty()).collect();
    words.into_iter().collect()
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "versions are whole")]
fn whole(value: f64) -> u64 {
    value as u64
}

/// Control planes that labs of this program have left.
static VACANT: Mutex<Vec<ControlPlane>> = Mutex::new(Vec::new());
/// Where the controller has its Lease.
pub(super) const SYSTEM: &str = "waypoint-system";
/// The labels of what our controller makes.
const MANAGED: &str = "{gateway.istio.io/managed: istio.io-mesh-controller}";
const GATEWAYS: &[&str] = &["gateways.gateway.networking.k8s.io", "--all-namespaces"];
const VERSIONS: &str = "waypoint_sync_resource_version";
const APPLY: &[&str] = &[
    "apply",
    "--server-side",
    "--force-conflicts",
    "--field-manager=tests",
    "--output=json",
    "--filename=-",
];
const REPLACE: &[&str] = &["replace", "--output=json", "--filename=-"];
const STATUS: &[&str] = &["--subresource=status"];
const REMOVE: &[&str] =
    &["delete", "--ignore-not-found", "--force", "--grace-period=0", "--filename=-"];
/// Everything that labs make in a namespace.
const CLEAR: &[&str] = &[
    "delete",
    "deployments,leases,pods,services,endpointslices,gateways,httproutes,grpcroutes,tlsroutes,\
     tcproutes,referencegrants,authorizationpolicies,peerauthentications,serviceentries,\
     workloadentries",
    "--all",
    "--force",
    "--grace-period=0",
    "--field-selector=metadata.name!=kubernetes",
];

#[cfg(test)]
mod tests;
