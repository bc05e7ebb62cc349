//! Building the programs: for release into one known place, or for the lab.

use std::fs;

use anyhow::{Context, Result};

use crate::shell::{cargo, root, run, say, target};
use crate::{ebpf, setup};

/// Builds the release binaries into `target/waypoint`.
pub(crate) fn release() -> Result<()> {
    ebpf::build(&setup::run()?)?;
    say("build: release binaries");
    run(&mut cargo(&["build", "--release", "-p", "waypoint-user", "--bins"]))?;
    let place = root().join(PLACE);
    fs::create_dir_all(&place).with_context(|| place.display().to_string())?;
    for program in PROGRAMS {
        let built = target().join("release").join(program);
        fs::copy(&built, place.join(program)).with_context(|| built.display().to_string())?;
        println!("{PLACE}/{program}");
    }
    Ok(())
}

/// Builds the programs that the lab, the demo and the stories start, unoptimised.
pub(crate) fn for_the_lab() -> Result<()> {
    ebpf::build(&setup::run()?)?;
    say("build: waypointd, waypointctl and the lab's programs");
    run(cargo(&["build", "--bins"]).args(PACKAGES))
}

/// Compiles every test, so that the time of a ring is the time of its tests.
pub(crate) fn tests() -> Result<()> {
    say("build: tests");
    run(cargo(&["test", "--no-run"]).args(PACKAGES))?;
    run(&mut cargo(&["test", "--no-run", "-p", "xtask"]))
}

/// The packages built together, always in the same company: cargo unites the features of what it
/// builds together, and another company would mean building dependencies twice.
pub(crate) const PACKAGES: &[&str] =
    &["-p", "waypoint-common", "-p", "waypoint-user", "-p", "waypoint-tests"];

/// The folder of what is for release, below the workspace.
pub(crate) const PLACE: &str = "target/waypoint";
const PROGRAMS: &[&str] = &["waypointd", "waypointctl"];
