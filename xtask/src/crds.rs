//! The CustomResourceDefinitions of Waypoint's own kinds, made from their Rust types.
//!
//! `waypointctl` knows them; this writes them where `kubectl apply -k deploy` finds them.

use anyhow::{Context, Result};

use crate::shell;

/// Writes them.
pub(crate) fn run() -> Result<()> {
    let arguments = ["run", "--quiet", "--package=waypoint-user", "--bin=waypointctl", "crds"];
    let made = shell::ask(&mut shell::cargo(&arguments));
    let made = made.context("`waypointctl crds` failed; run `cargo run --bin waypointctl crds`")?;
    let path = shell::root().join(PLACE);
    std::fs::write(&path, made + "\n").with_context(|| path.display().to_string())
}

const PLACE: &str = "deploy/base/crds/waypoint.dev.yaml";
