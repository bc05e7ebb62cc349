//! `waypointctl delete`: takes waypoints out of the cluster.
//!
//! **Invariant:** a Gateway of another class is never deleted.

use clap::Args;
use futures_util::future::join_all;

use crate::{
    cli::{Connection, Console, Error, Outcome},
    mesh::object::ObjectName,
};

use super::{Only, cluster::Cluster, rows};

/// What to delete.
#[derive(Args, Clone, Debug, Default)]
pub struct Arguments {
    /// Names of waypoints
    #[arg(value_name = "NAME")]
    pub(super) names: Vec<String>,
    #[command(flatten)]
    pub(super) only: Only,
    /// All waypoints of the namespace
    #[arg(long)]
    pub(super) all: bool,
    /// All waypoints of this revision; with names, those of them that are of it
    #[arg(short, long, value_name = "REVISION", default_value = "", hide_default_value = true)]
    pub(super) revision: String,
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// Deletes them from a namespace.
pub(super) async fn run(
    arguments: &Arguments,
    cluster: &impl Cluster,
    namespace: &str,
    console: &mut Console<'_>,
) -> Result<Outcome, Error> {
    let names: Vec<&str> = arguments.names.iter().map(String::as_str).collect();
    let names = if names.is_empty() { arguments.only.name().into_iter().collect() } else { names };
    if arguments.all && !names.is_empty() {
        return Err(Error::Usage("cannot specify waypoint names when deleting all waypoints"));
    }
    if !arguments.all && names.is_empty() && arguments.revision.is_empty() {
        return Err(Error::Usage(
            "must specify a waypoint name or delete all using --all or delete specific revision \
             using --revision",
        ));
    }
    let chosen = chosen(arguments, cluster, namespace, &names, console).await?;
    // All at once: the API server takes its time for each.
    let deletions = chosen.iter().map(|name| async move { (name, cluster.delete(name).await) });
    let mut failure = None;
    for (name, outcome) in join_all(deletions).await {
        match outcome {
            Ok(true) => console.out.line(format_args!("waypoint {name} deleted"))?,
            Ok(false) => console.out.line(format_args!("waypoint {name} not found"))?,
            Err(denial) => {
                console.err.line(format_args!("waypoint {name} is still there: {denial}"))?;
                failure = Some(denial);
            }
        }
    }
    failure.map_or(Ok(Outcome::Good), |denial| Err(denial.into()))
}

/// The waypoints that are meant, in order. What is named and is none is told of.
async fn chosen(
    arguments: &Arguments,
    cluster: &impl Cluster,
    namespace: &str,
    names: &[&str],
    console: &mut Console<'_>,
) -> Result<Vec<ObjectName>, Error> {
    let gateways = cluster.gateways(Some(namespace)).await?;
    let is_of = |revision: &str| arguments.revision.is_empty() || revision == arguments.revision;
    if names.is_empty() {
        let mut waypoints = rows::waypoints(gateways);
        waypoints.retain(|waypoint| is_of(rows::revision(waypoint)));
        return Ok(waypoints.iter().map(rows::name).collect());
    }
    let mut chosen = Vec::new();
    for name in names {
        let name = ObjectName::new(namespace, *name);
        let found = gateways.iter().find(|gateway| rows::name(gateway) == name);
        match found.filter(|gateway| is_of(rows::revision(gateway))) {
            Some(gateway) if rows::is_waypoint(gateway) => chosen.push(name),
            Some(gateway) => {
                let class = &gateway.spec.gateway_class_name;
                let line = format!("Gateway {name} is of class {class} and no waypoint; it stays");
                console.err.warning(line)?;
                console.out.line(format_args!("waypoint {name} not found"))?;
            }
            None => console.out.line(format_args!("waypoint {name} not found"))?,
        }
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests;
