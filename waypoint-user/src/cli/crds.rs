//! `waypointctl crds`: the CustomResourceDefinitions of Waypoint's own kinds, to be applied.
//!
//! It installs nothing itself.

use crate::sync::traffic_policy;

use super::{Console, Error, Outcome, yaml};

/// Prints the definitions.
pub(super) fn run(console: &mut Console<'_>) -> Result<Outcome, Error> {
    console.out.text(&definitions())?;
    Ok(Outcome::Good)
}

/// The definitions, as a file.
fn definitions() -> String {
    format!("{HEAD}{}", yaml::show(&traffic_policy::definition()))
}

/// Where the file comes from.
const HEAD: &str = "# Made from the types in waypoint-user/src/sync/traffic_policy.rs by \
                    `cargo xtask crds`.\n";

#[cfg(test)]
mod tests;
