//! What continuous integration runs, on every desk the same.

use std::process::ExitCode;

use anyhow::Result;

use crate::shell::{cargo, run, say};
use crate::{ebpf, rings, setup, tidy};

/// Format, lints, tidy, then every ring of tests.
pub(crate) fn run_all() -> Result<ExitCode> {
    say("ci: format");
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    let toolchain = setup::run()?;
    toolchain.ensure_clippy()?;
    ebpf::build(&toolchain)?;
    say("ci: clippy");
    run(cargo(&["clippy", "--workspace", "--exclude", "waypoint-ebpf", "--all-targets"])
        .args(DENY_WARNINGS))?;
    run(ebpf::cargo(&toolchain, "clippy").args(DENY_WARNINGS))?;
    say("ci: tidy");
    if tidy::run()? != ExitCode::SUCCESS {
        return Ok(ExitCode::FAILURE);
    }
    rings::run(&rings::Request::default())
}

const DENY_WARNINGS: &[&str] = &["--", "-D", "warnings"];
