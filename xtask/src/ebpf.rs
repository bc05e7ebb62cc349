//! Building the kernel side into the one object that waypointd embeds.
//!
//! **Invariant:** the object is replaced only when its bytes change, so that an unchanged kernel
//! side never recompiles the userspace.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};

use crate::setup::{self, Toolchain, toolchain};
use crate::shell::{self, is_root, root, run as run_command, say};

/// Builds the object, and with `stats` loads it to print what the verifier makes of it.
pub(crate) fn run(stats: bool) -> Result<()> {
    build(&setup::run()?)?;
    if !stats {
        return Ok(());
    }
    if !is_root() {
        bail!("loading programs needs root: run this command again as root");
    }
    say("verifier: instructions processed per program");
    let mut budget = shell::cargo(&["test", "-p", "waypoint-tests", "--test", "programs"]);
    let output = budget.args([BUDGET_TEST, "--", "--nocapture"]).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter(|line| line.ends_with(BUDGET_LINE)).for_each(|line| println!("{line}"));
    if !output.status.success() {
        bail!("{text}{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// Builds the object unless it is newer than everything it is made of.
pub(crate) fn build(toolchain: &Toolchain) -> Result<()> {
    let (object, stamp) = (root().join(OBJECT), root().join(STAMP));
    if object.is_file() && is_newer(&stamp, newest_input()?) {
        say("build-ebpf: up to date");
        return Ok(());
    }
    say(&format!("build-ebpf: compiling the kernel side with {toolchain}"));
    run_command(&mut cargo(toolchain, "build"))?;
    let built = root().join(BUILD).join(toolchain::TARGET).join("release/waypoint-ebpf");
    publish(&built, &object)?;
    fs::write(&stamp, "").with_context(|| stamp.display().to_string())
}

/// A cargo subcommand on the kernel side.
pub(crate) fn cargo(toolchain: &Toolchain, subcommand: &str) -> Command {
    let mut cargo = toolchain.cargo(subcommand);
    cargo.args(["-p", "waypoint-ebpf"]).env("CARGO_TARGET_DIR", root().join(BUILD));
    cargo
}

/// Copies the object to its place if it differs from what is there.
fn publish(built: &Path, object: &Path) -> Result<()> {
    let bytes = fs::read(built).with_context(|| built.display().to_string())?;
    if fs::read(object).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    if let Some(folder) = object.parent() {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    fs::write(object, bytes).with_context(|| object.display().to_string())?;
    eprintln!("  {} is new", object.display());
    Ok(())
}

/// When what the object is made of was last changed.
fn newest_input() -> Result<SystemTime> {
    let mut newest = SystemTime::UNIX_EPOCH;
    let mut left: Vec<PathBuf> = INPUTS.iter().map(|input| root().join(input)).collect();
    while let Some(path) = left.pop() {
        let meta = fs::metadata(&path).with_context(|| path.display().to_string())?;
        newest = newest.max(meta.modified()?);
        if meta.is_dir() {
            for entry in path.read_dir()? {
                left.push(entry?.path());
            }
        }
    }
    Ok(newest)
}

fn is_newer(stamp: &Path, than: SystemTime) -> bool {
    fs::metadata(stamp).and_then(|meta| meta.modified()).is_ok_and(|made| made >= than)
}

/// The test that loads every program, and the end of the lines in which it tells what it saw.
const BUDGET_TEST: &str = "every_program_fits_the_verifier_budget";
const BUDGET_LINE: &str = "instructions processed";
/// Where waypoint-user's build script looks for the object.
const OBJECT: &str = "target/ebpf/waypoint.o";
const STAMP: &str = "target/ebpf/built";
/// A build folder of its own: another compiler would empty the shared one again and again.
const BUILD: &str = "target/ebpf-build";
const INPUTS: &[&str] = &["waypoint-ebpf", "waypoint-common", "Cargo.toml", "Cargo.lock"];
