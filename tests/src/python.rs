//! Programs and libraries in Python from PyPI, each set in a virtual environment, fetched once.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow};
use nix::fcntl::{Flock, FlockArg};

use crate::lab::command;

/// `kubernetes-validate`, which has the schemas of Kubernetes' objects.
pub fn kubernetes_validate() -> Result<PathBuf> {
    let name = format!("kubernetes-validate-{VALIDATE_VERSION}");
    let place =
        environment(&name, "24 MB", &[&format!("kubernetes-validate=={VALIDATE_VERSION}")])?;
    Ok(place.join("bin/kubernetes-validate"))
}

/// Python with the libraries that applications speak WebSocket and gRPC with.
pub fn with_clients() -> Result<PathBuf> {
    Ok(environment(&format!("clients-{CLIENTS_VERSION}"), "9 MB", CLIENTS)?.join("bin/python3"))
}

/// A Python that knows OpenTelemetry's protocol, and gRPC.
pub fn opentelemetry() -> Result<PathBuf> {
    Ok(environment(&format!("collector-{COLLECTOR_VERSION}"), "8 MB", COLLECTOR)?
        .join("bin/python3"))
}

/// A virtual environment with packages; made when it is not there yet.
fn environment(name: &str, size: &str, packages: &[&str]) -> Result<PathBuf> {
    let cache = command::target()?.join("python");
    let place = cache.join(name);
    fs::create_dir_all(&cache).with_context(|| cache.display().to_string())?;
    let _turn = Flock::lock(File::create(cache.join("lock"))?, FlockArg::LockExclusive)
        .map_err(|(_, error)| anyhow!("lock {}: {error}", cache.display()))?;
    if !place.join(WHOLE).is_file() {
        let all = packages.join(", ");
        eprintln!("fetching {all} ({size}, once) into {}", place.display());
        // One that was fetched by half is of no use.
        let _half_of_one = fs::remove_dir_all(&place);
        fetch(&place.display().to_string(), packages).with_context(|| {
            format!(
                "{all} was not fetched: make PyPI reachable for pip, or install it in a virtual \
                 environment in {}, with an empty file `{WHOLE}`",
                place.display()
            )
        })?;
        mark(&place)?;
    }
    Ok(place)
}

fn fetch(place: &str, packages: &[&str]) -> Result<()> {
    command::run("python3", &["-m", "venv", place])
        .context("no virtual environment for pip; Debian has it in python3-venv")?;
    let install = ["install", "--quiet", "--no-input", "--disable-pip-version-check"];
    let install = [&install[..], &["--only-binary=:all:"], packages].concat();
    command::run(&format!("{place}/bin/pip"), &install)?;
    Ok(())
}

fn mark(place: &Path) -> Result<()> {
    File::create(place.join(WHOLE)).map(drop).with_context(|| place.display().to_string())
}

const VALIDATE_VERSION: &str = "1.37.0";

/// The libraries, and a number that changes with them.
const CLIENTS: &[&str] =
    &["websockets==17.4", "h2==4.4.1", "wsproto==1.3.2", "hypercorn==0.18.0", "grpcio==1.85.1"];
const CLIENTS_VERSION: u32 = 1;

/// The libraries of the collector of spans, and a number that changes with them.
const COLLECTOR: &[&str] = &["opentelemetry-proto==1.45.2", "grpcio==1.85.1"];
const COLLECTOR_VERSION: u32 = 1;

/// What an environment has once all of it is there.
const WHOLE: &str = "whole";
