//! `waypointctl generate`, `apply`, `delete`, `list`, `status`: waypoints of a cluster
//! (Istio `istioctl/pkg/waypoint/waypoint.go`).
//!
//! It writes Gateways and a namespace's label, nothing else; what Gateways become is the
//! controller's.
//!
//! **Invariant:** fields that somebody else owns are never taken over.

mod apply;
mod cluster;
mod delete;
mod generate;
mod list;
mod manifest;
mod progress;
mod rows;
mod status;
mod wait;

#[cfg(test)]
mod stage;

use clap::{Args, Subcommand};

use super::{Console, Error, Outcome};
use cluster::Live;

/// What can be done with waypoints.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Print the Gateway of a waypoint as YAML
    Generate(generate::Arguments),
    /// Bring a waypoint into the cluster
    Apply(apply::Arguments),
    /// Take waypoints out of the cluster
    Delete(delete::Arguments),
    /// Show the waypoints of the cluster
    List(list::Arguments),
    /// Show whether waypoints are programmed, and wait for it
    Status(status::Arguments),
}

/// A word after `waypointctl waypoint`.
#[derive(Debug, Subcommand)]
pub enum Spelled {
    /// A verb.
    #[command(flatten)]
    Verb(Verb),
    /// Anything else.
    #[command(external_subcommand)]
    Other(Vec<String>),
}

/// Which waypoint.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Naming {
    /// Name of the waypoint
    #[arg(long, value_name = "NAME", default_value = DEFAULT_NAME)]
    name: String,
}

impl Naming {
    /// The name; nobody means an empty one.
    fn or_default(&self) -> &str {
        if self.name.is_empty() { DEFAULT_NAME } else { &self.name }
    }
}

/// Which waypoints.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Only {
    /// Only the waypoint of this name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

impl Only {
    /// The name, if one was given.
    fn name(&self) -> Option<&str> {
        self.name.as_deref().filter(|name| !name.is_empty())
    }
}

/// Does what the verb says.
pub(super) async fn run(verb: &Verb, console: &mut Console<'_>) -> Result<Outcome, Error> {
    match verb {
        Verb::Generate(arguments) => generate::run(arguments, console),
        Verb::Apply(arguments) => {
            let live = Live::open(&arguments.connection).await?;
            apply::run(arguments, &live, &live.namespace, console).await
        }
        Verb::Delete(arguments) => {
            let live = Live::open(&arguments.connection).await?;
            delete::run(arguments, &live, &live.namespace, console).await
        }
        Verb::List(arguments) => {
            let live = Live::open(&arguments.connection).await?;
            list::run(arguments, &live, &live.namespace, console).await
        }
        Verb::Status(arguments) => {
            let live = Live::open(&arguments.connection).await?;
            status::run(arguments, &live, &live.namespace, console).await
        }
    }
}

/// The name of waypoints that are given none.
const DEFAULT_NAME: &str = "waypoint";
/// Spaces between columns, as `istioctl` has them.
const GAP: usize = 5;
