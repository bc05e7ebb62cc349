//! Packages for Node.js from npm, fetched once.

use std::{
    fs::{self, File},
    path::PathBuf,
};

use anyhow::{Context, Result, anyhow};
use nix::fcntl::{Flock, FlockArg};

use crate::lab::command;

/// Where the packages are that a page would speak gRPC-Web with.
pub fn grpc_web() -> Result<PathBuf> {
    let place = command::target()?.join("npm").join(format!("grpc-web-{GRPC_WEB_VERSION}"));
    let modules = place.join("node_modules");
    fs::create_dir_all(&place).with_context(|| place.display().to_string())?;
    let _turn = Flock::lock(File::create(place.join("lock"))?, FlockArg::LockExclusive)
        .map_err(|(_, error)| anyhow!("lock {}: {error}", place.display()))?;
    if !modules.join("grpc-web").is_dir() || !modules.join("xhr2").is_dir() {
        eprintln!("fetching grpc-web (once) into {}", place.display());
        let (prefix, what) = (place.display().to_string(), format!("grpc-web@{GRPC_WEB_VERSION}"));
        let install = ["install", "--no-audit", "--no-fund", "--silent", "--prefix", &prefix];
        let install = [&install[..], &[what.as_str(), XHR2]].concat();
        command::run("npm", &install).with_context(|| {
            format!(
                "grpc-web was not fetched: it takes Node.js with npm (Debian: nodejs, npm) and \
                 npm's registry, or put the packages into {}",
                modules.display()
            )
        })?;
    }
    Ok(modules)
}

const GRPC_WEB_VERSION: &str = "2.1.1";
/// What Node.js lacks of a page.
const XHR2: &str = "xhr2@0.2.1";
