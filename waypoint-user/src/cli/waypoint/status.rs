//! `waypointctl status`: whether waypoints are programmed, and until when to wait for it.
//!
//! A row is added when something changed (Istio adds one every second).

use std::time::Duration;

use clap::{ArgAction, Args};
use gateway_api::experimental::gateways::Gateway;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::{
    cli::{Connection, Console, Error, Format, Outcome, Table, duration},
    mesh::object::ObjectName,
};

use super::{
    GAP, Only,
    cluster::Cluster,
    progress::Progress,
    rows,
    wait::{PACE, state},
};

/// Whose status, and how long to wait.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    #[command(flatten)]
    pub(super) only: Only,
    /// Waypoints of all namespaces
    #[arg(short = 'A', long)]
    pub(super) all_namespaces: bool,
    /// Wait until all of them are programmed; --wait=false does not
    #[arg(
        short,
        long,
        value_name = "BOOL",
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_value_t = true,
        default_missing_value = "true"
    )]
    pub(super) wait: bool,
    /// How long to wait
    #[arg(
        long = "waypoint-timeout",
        value_name = "DURATION",
        default_value = "90s",
        value_parser = duration::parse
    )]
    pub(super) timeout: Duration,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(super) output: Format,
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// Shows it.
pub(super) async fn run(
    arguments: &Arguments,
    cluster: &impl Cluster,
    namespace: &str,
    console: &mut Console<'_>,
) -> Result<Outcome, Error> {
    let namespaces = (!arguments.all_namespaces).then_some(namespace);
    let mut gateways = cluster.gateways(namespaces).await?;
    if gateways.is_empty() && matches!(arguments.output, Format::Table | Format::Wide) {
        console.out.line("No waypoints found.")?;
        return Ok(Outcome::Good);
    }
    if let Some(name) = arguments.only.name() {
        gateways.retain(|gateway| rows::name(gateway).name == name);
    }
    let mut seen = Seen::default();
    let outcome = follow(arguments, cluster, gateways, &mut seen, console).await;
    let text = match arguments.output.of(&Value::Array(seen.values))? {
        Some(text) => text,
        None => seen.table.without_first(usize::from(!arguments.all_namespaces)).to_string(),
    };
    console.out.text(&text)?;
    outcome.map(Outcome::good_if)
}

/// Looks at each waypoint until it is programmed; says whether all are.
async fn follow(
    arguments: &Arguments,
    cluster: &impl Cluster,
    gateways: Vec<Gateway>,
    seen: &mut Seen,
    console: &mut Console<'_>,
) -> Result<bool, Error> {
    let mut progress = Progress::new(console.err.look());
    let end = Instant::now() + arguments.timeout;
    let mut all = true;
    for waypoint in rows::waypoints(gateways) {
        let name = rows::name(&waypoint);
        let mut clock = interval(PACE);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let last = loop {
            clock.tick().await;
            let now = cluster.gateway(&name).await?;
            seen.add(&name, now.as_ref(), arguments.output);
            if now.as_ref().is_some_and(rows::is_programmed) || !arguments.wait {
                break now;
            }
            if Instant::now() >= end {
                seen.settle(&name, now.as_ref());
                return Err(Error::TimedOut(format!(
                    "failed to print waypoint status: timed out while retrieving status for \
                     waypoint\t{name}"
                )));
            }
            let state = state(now.as_ref());
            progress.show(&format!("waypoint {name}: {state}"), &mut console.err)?;
        };
        all &= last.as_ref().is_some_and(rows::is_programmed);
        seen.settle(&name, last.as_ref());
    }
    Ok(all)
}

/// What was seen of waypoints.
struct Seen {
    table: Table<6>,
    last: Vec<[String; 6]>,
    values: Vec<Value>,
}

impl Default for Seen {
    fn default() -> Self {
        let header = ["NAMESPACE", "NAME", "STATUS", "TYPE", "REASON", "MESSAGE"];
        Self { table: Table::new(header).with_gap(GAP), last: Vec::new(), values: Vec::new() }
    }
}

impl Seen {
    /// Adds rows for how a waypoint is now, unless it was so a moment ago.
    fn add(&mut self, name: &ObjectName, gateway: Option<&Gateway>, output: Format) {
        let conditions: Vec<&Condition> = match gateway {
            Some(gateway) if output == Format::Wide => rows::conditions(gateway).iter().collect(),
            Some(gateway) => rows::programmed(gateway).into_iter().collect(),
            None => Vec::new(),
        };
        let row = |one: &Condition| {
            let Condition { status, type_, reason, message, .. } = one.clone();
            [name.namespace.clone(), name.name.clone(), status, type_, reason, message]
        };
        let mut rows: Vec<_> = conditions.into_iter().map(row).collect();
        if rows.is_empty() {
            let [status, kind, reason] =
                ["Unknown", rows::PROGRAMMED, "Pending"].map(str::to_owned);
            let message = state(gateway);
            rows.push([name.namespace.clone(), name.name.clone(), status, kind, reason, message]);
        }
        if rows != self.last {
            for row in rows.iter().cloned() {
                self.table.row(row);
            }
            self.last = rows;
        }
    }

    /// Keeps how a waypoint is in the end.
    fn settle(&mut self, name: &ObjectName, gateway: Option<&Gateway>) {
        let conditions = gateway.map(rows::conditions).unwrap_or_default();
        self.values.push(json!({
            "conditions": conditions,
            "name": name.name,
            "namespace": name.namespace,
            "programmed": gateway.is_some_and(rows::is_programmed),
        }));
    }
}

#[cfg(test)]
mod tests;
