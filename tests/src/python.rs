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
    let cache = command::target()?.join("python");
    let place = cache.join(format!("kubernetes-validate-{VALIDATE_VERSION}"));
    let program = place.join("bin/kubernetes-validate");
    fs::create_dir_all(&cache).with_context(|| cache.display().to_string())?;
    let _turn = Flock::lock(File::create(cache.join("lock"))?, FlockArg::LockExclusive)
        .map_err(|(_, error)| anyhow!("lock {}: {error}", cache.display()))?;
    if !program.is_file() {
        eprintln!("fetching kubernetes-validate (24 MB, once) into {}", place.display());
        // One that was fetched by half is of no use.
        let _half_of_one = fs::remove_dir_all(&place);
        fetch(&place.display().to_string()).with_context(|| {
            format!(
                "kubernetes-validate {VALIDATE_VERSION} was not fetched: make PyPI reachable for \
                 pip, or install it so that {} is there",
                program.display()
            )
        })?;
    }
    Ok(program)
}

fn fetch(place: &str) -> Result<()> {
    command::run("python3", &["-m", "venv", place])
        .context("no virtual environment for pip; Debian has it in python3-venv")?;
    let which = format!("kubernetes-validate=={VALIDATE_VERSION}");
    let install = ["install", "--quiet", "--no-input", "--disable-pip-version-check"];
    let which = ["--only-binary=:all:", &which];
    command::run(&format!("{place}/bin/pip"), &[&install[..], &which].concat())?;
    Ok(())
}

const VALIDATE_VERSION: &str = "1.37.0";
