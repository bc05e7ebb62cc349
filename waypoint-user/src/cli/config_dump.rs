//! `waypointctl config dump`: the configuration that an agent or a waypoint has in force.
//!
//! It shows what that process says, in the tables of `istioctl ztunnel-config`.

use clap::{Args, ValueEnum};
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

use crate::mesh::{
    label::{GATEWAY_NAME, MANAGED},
    object::ObjectName,
};

use super::{
    Connection, Console, Error, Format, Outcome, admin,
    reach::{self, ADMIN_PORT, AGENT, CONTROLLER},
};

mod sections;

/// Whose configuration, and how much of it.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Pod of a waypoint, of an agent or of the controller, NAME or NAMESPACE/NAME; of any other
    /// pod, the agent of its node is asked
    #[arg(value_name = "POD", conflicts_with_all = ["node", "admin"])]
    pod: Option<String>,
    /// Node whose agent is asked
    #[arg(long, value_name = "NODE", conflicts_with = "admin")]
    node: Option<String>,
    /// Admin endpoint: ADDR:PORT, or unix:PATH
    #[arg(
        long,
        value_name = "ADDRESS",
        required_unless_present_any = ["pod", "node"],
        conflicts_with_all = ["kubeconfig", "context"]
    )]
    admin: Option<String>,
    /// Port of a pod's admin endpoint
    #[arg(long, value_name = "PORT", default_value_t = ADMIN_PORT)]
    admin_port: u16,
    /// Only these sections
    #[arg(long = "section", value_name = "SECTION", value_enum)]
    sections: Vec<Section>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
    #[command(flatten)]
    connection: Connection,
}

/// A part of a configuration.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Section {
    /// Services, with the waypoints for connections that are addressed to them
    Services,
    /// Pods, with the waypoints for connections that are addressed to them
    Workloads,
    /// Authorization policies
    Policies,
    /// Waypoints
    Waypoints,
}

impl Section {
    /// Its key in a dump.
    const fn key(self) -> &'static str {
        match self {
            Self::Services => "services",
            Self::Workloads => "workloads",
            Self::Policies => "policies",
            Self::Waypoints => "waypoints",
        }
    }
}

/// Shows it.
pub(super) async fn run(
    arguments: &Arguments,
    console: &mut Console<'_>,
) -> Result<Outcome, Error> {
    let dump: Value = serde_json::from_str(&page(arguments).await?)?;
    let shown = chosen(&dump, &arguments.sections);
    let text = match arguments.output.of(&shown)? {
        Some(text) => text,
        None => sections::tables(&shown),
    };
    console.out.text(&text)?;
    Ok(Outcome::Good)
}

/// What the process answers.
async fn page(arguments: &Arguments) -> Result<String, Error> {
    if let Some(address) = &arguments.admin {
        return admin::page(address, PAGE).await;
    }
    let client = arguments.connection.client().await?;
    let system = &arguments.connection.system_namespace;
    let pod = match (&arguments.pod, &arguments.node) {
        (Some(pod), _) => {
            let name = match pod.split_once('/') {
                Some((namespace, name)) => ObjectName::new(namespace, name),
                None => ObjectName::new(arguments.connection.namespace(&client), pod),
            };
            let pod = reach::pod(&client, &name).await?;
            match node_of_other(&pod) {
                Some(node) => reach::agent_of(&client, system, &node).await?,
                None => name,
            }
        }
        (None, node) => {
            reach::agent_of(&client, system, node.as_deref().unwrap_or_default()).await?
        }
    };
    reach::page(&client, &pod, arguments.admin_port, PAGE).await
}

/// The node of a pod that is neither a waypoint's nor one of ours.
fn node_of_other(pod: &Pod) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    let account = spec.service_account_name.as_deref().unwrap_or_default();
    let labels = pod.metadata.labels.as_ref();
    let made =
        labels.is_some_and(|all| all.contains_key(MANAGED) && all.contains_key(GATEWAY_NAME));
    let ours = made || account == AGENT || account == CONTROLLER;
    spec.node_name.clone().filter(|_| !ours)
}

/// The sections that are wanted; all of the dump if none is named.
fn chosen(dump: &Value, sections: &[Section]) -> Value {
    if sections.is_empty() {
        return dump.clone();
    }
    let section = |section: &Section| {
        let key = section.key();
        (key.to_owned(), dump.get(key).cloned().unwrap_or_default())
    };
    Value::Object(sections.iter().map(section).collect())
}

/// The page that shows the configuration in force.
const PAGE: &str = "/config_dump";

#[cfg(test)]
mod tests;
