//! `waypointctl list`: the waypoints of a namespace or of all.
//!
//! The traffic type is the one that holds, also where nobody wrote it down.

use clap::Args;
use gateway_api::experimental::{gatewayclasses::GatewayClass, gateways::Gateway};
use serde_json::{Value, json};

use crate::cli::{Connection, Console, Error, Format, Outcome, Table, request::Denial};

use super::{GAP, Only, cluster::Cluster, rows};

/// What to list.
#[derive(Args, Clone, Debug, Default)]
pub struct Arguments {
    #[command(flatten)]
    pub(super) only: Only,
    /// Waypoints of all namespaces
    #[arg(short = 'A', long)]
    pub(super) all_namespaces: bool,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(super) output: Format,
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// Lists them.
pub(super) async fn run(
    arguments: &Arguments,
    cluster: &impl Cluster,
    namespace: &str,
    console: &mut Console<'_>,
) -> Result<Outcome, Error> {
    let Arguments { only, all_namespaces, output, .. } = arguments;
    let mut gateways = cluster.gateways((!all_namespaces).then_some(namespace)).await?;
    let none = gateways.is_empty();
    if let Some(name) = only.name() {
        gateways.retain(|gateway| rows::name(gateway).name == name);
    }
    let waypoints = rows::waypoints(gateways);
    let classes = match cluster.classes().await {
        // Who may read his own Gateways may be told of no classes; those say nothing then.
        Err(Denial::Forbidden { .. }) => Vec::new(),
        classes => classes?,
    };
    let values = waypoints.iter().map(|waypoint| value(waypoint, &classes)).collect();
    if let Some(text) = output.of(&Value::Array(values))? {
        console.out.text(&text)?;
    } else if none {
        console.out.line("No waypoints found.")?;
    } else {
        console.out.text(&table(arguments, &waypoints, &classes))?;
    }
    Ok(Outcome::Good)
}

/// For people.
fn table(arguments: &Arguments, waypoints: &[Gateway], classes: &[GatewayClass]) -> String {
    let skipped = usize::from(!arguments.all_namespaces);
    let header = ["NAMESPACE", "NAME", "REVISION", "TRAFFIC TYPE", "PROGRAMMED", "ADDRESSES"];
    let cells = |waypoint: &Gateway| {
        let name = rows::name(waypoint);
        let revision = Some(rows::revision(waypoint)).filter(|one| !one.is_empty());
        [
            name.namespace,
            name.name,
            revision.unwrap_or(DEFAULT_REVISION).to_owned(),
            rows::traffic(waypoint, classes).to_owned(),
            rows::programmed(waypoint).map_or("False", |one| &one.status).to_owned(),
            rows::addresses(waypoint).join(","),
        ]
    };
    if arguments.output == Format::Wide {
        let mut table = Table::new(header).with_gap(GAP).without_first(skipped);
        for waypoint in waypoints {
            table.row(cells(waypoint));
        }
        return table.to_string();
    }
    let [namespace, name, revision, traffic, programmed, _] = header;
    let header = [namespace, name, revision, traffic, programmed];
    let mut table = Table::new(header).with_gap(GAP).without_first(skipped);
    for waypoint in waypoints {
        let [namespace, name, revision, traffic, programmed, _] = cells(waypoint);
        table.row([namespace, name, revision, traffic, programmed]);
    }
    table.to_string()
}

/// For programs.
fn value(waypoint: &Gateway, classes: &[GatewayClass]) -> Value {
    let name = rows::name(waypoint);
    json!({
        "addresses": rows::addresses(waypoint),
        "class": waypoint.spec.gateway_class_name,
        "name": name.name,
        "namespace": name.namespace,
        "programmed": rows::programmed(waypoint).map_or("False", |one| &one.status),
        "revision": rows::revision(waypoint),
        "trafficType": rows::traffic(waypoint, classes),
    })
}

/// The revision of Gateways that name none.
const DEFAULT_REVISION: &str = "default";

#[cfg(test)]
mod tests;
