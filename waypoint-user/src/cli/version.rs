//! `waypointctl version`: which versions run: this program, the controller, agents and waypoints.
//!
//! Each pod is asked. Of one that does not answer the version is its image's, and said to be so.

use std::{collections::BTreeMap, time::Duration};

use clap::Args;
use futures_util::{StreamExt, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::{Client, api::ListParams};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    Connection, Console, Error, Format, Outcome,
    reach::{self, ADMIN_PORT, AGENT, CONTROLLER},
};

/// Whose version.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Only of this program
    #[arg(long)]
    client: bool,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
    #[command(flatten)]
    connection: Connection,
}

/// How many pods there are of each version.
type Versions = BTreeMap<String, usize>;

/// Shows them.
pub(super) async fn run(
    arguments: &Arguments,
    console: &mut Console<'_>,
) -> Result<Outcome, Error> {
    let mut parts = vec![("client", Versions::from([(OWN.to_owned(), 0)]))];
    let mut failure = None;
    if !arguments.client {
        match of_cluster(&arguments.connection).await {
            Ok(found) => parts.extend(found),
            Err(error) => failure = Some(error),
        }
    }
    let value = |(part, versions): &(&str, Versions)| ((*part).to_owned(), json!(versions));
    let values = Value::Object(parts.iter().map(value).collect());
    let text = match arguments.output.of(&values)? {
        Some(text) => text,
        None => parts.iter().map(|(part, versions)| line(part, versions)).collect(),
    };
    console.out.text(&text)?;
    failure.map_or(Ok(Outcome::Good), Err)
}

/// The versions of everything in a cluster.
async fn of_cluster(connection: &Connection) -> Result<Vec<(&'static str, Versions)>, Error> {
    let client = connection.client().await?;
    let system = Some(connection.system_namespace.as_str());
    let account =
        |name: &str| ListParams::default().fields(&format!("spec.serviceAccountName={name}"));
    let made = ListParams::default().labels("gateway.istio.io/managed=istio.io-mesh-controller");
    let parts = [
        ("controller", system, account(CONTROLLER)),
        ("agents", system, account(AGENT)),
        ("waypoints", None, made),
    ];
    let mut found = Vec::new();
    for (part, namespace, selected) in parts {
        let pods = reach::pods(&client, namespace, &selected).await?;
        found.push((part, of_pods(&client, &pods).await));
    }
    Ok(found)
}

/// The versions of pods.
async fn of_pods(client: &Client, pods: &[Pod]) -> Versions {
    let asked = stream::iter(pods).map(|pod| of_pod(client, pod)).buffer_unordered(ASKED_AT_ONCE);
    let count = |mut versions: Versions, version: String| async {
        *versions.entry(version).or_default() += 1;
        versions
    };
    asked.fold(Versions::new(), count).await
}

/// The version that a pod says that it has, or else its image's tag, as such.
async fn of_pod(client: &Client, pod: &Pod) -> String {
    let name = reach::name(&pod.metadata);
    let page = reach::page(client, &name, ADMIN_PORT, "/version");
    let said = timeout(PATIENCE, page).await.ok().and_then(Result::ok);
    let said = said.and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let said = said.and_then(|value| value.get("version")?.as_str().map(str::to_owned));
    said.unwrap_or_else(|| format!("{} by its image", tag(pod)))
}

/// The tag of the pod's first image.
fn tag(pod: &Pod) -> &str {
    let containers = pod.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default();
    let image = containers.first().and_then(|container| container.image.as_deref());
    let name = image.and_then(|image| image.rsplit('/').next()).unwrap_or_default();
    let name = name.split('@').next().unwrap_or_default();
    name.split_once(':').map_or("unknown", |(_, tag)| tag)
}

/// For people.
fn line(part: &str, versions: &Versions) -> String {
    let version = |(version, count): (&String, &usize)| match count {
        0 => version.clone(),
        1 => format!("{version} (1 pod)"),
        count => format!("{version} ({count} pods)"),
    };
    let all = versions.iter().map(version).collect::<Vec<_>>().join(", ");
    let all = if all.is_empty() { "none" } else { &all };
    format!("{:<12} {all}\n", format!("{part}:"))
}

/// The version of this program.
const OWN: &str = env!("CARGO_PKG_VERSION");
/// How many pods are asked at once.
const ASKED_AT_ONCE: usize = 16;
/// How long a pod may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests;
