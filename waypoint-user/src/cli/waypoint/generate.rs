//! `waypointctl generate`: the Gateway of a waypoint as YAML.
//!
//! It asks no cluster.

use clap::Args;

use crate::cli::{Connection, Console, Error, Outcome, yaml};

use super::{
    Naming,
    manifest::{Wish, gateway},
};

/// What to generate.
#[derive(Args, Clone, Debug, Default)]
pub struct Arguments {
    #[command(flatten)]
    pub(super) naming: Naming,
    #[command(flatten)]
    pub(super) kind: Kind,
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// What a waypoint is for, and whose.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Kind {
    /// Traffic that the waypoint takes: service, workload, all or none
    #[arg(long = "for", value_name = "TYPE", default_value = "", hide_default_value = true)]
    pub(super) traffic: String,
    /// Revision of the controller that the waypoint is for
    #[arg(short, long, value_name = "REVISION", default_value = "", hide_default_value = true)]
    pub(super) revision: String,
}

/// Prints it.
pub(super) fn run(arguments: &Arguments, console: &mut Console<'_>) -> Result<Outcome, Error> {
    let Arguments { naming, kind, connection } = arguments;
    let gateway = gateway(&Wish {
        name: naming.or_default(),
        namespace: connection.namespace.as_deref().filter(|name| !name.is_empty()),
        traffic: &kind.traffic,
        revision: &kind.revision,
    })?;
    console.out.text(&yaml::show(&gateway))?;
    Ok(Outcome::Good)
}

#[cfg(test)]
mod tests;
