//! Programs in Go, built once from what the module proxy has.

use std::{
    fs::{self, File},
    path::PathBuf,
};

use anyhow::{Context, Result, anyhow};
use nix::fcntl::{Flock, FlockArg};

use crate::lab::command;

/// `h2spec`, which tries what RFC 9113 and RFC 7541 demand of an HTTP/2 server.
pub fn h2spec() -> Result<PathBuf> {
    let place = command::target()?.join("h2spec").join(H2SPEC_VERSION);
    let program = place.join("h2spec");
    fs::create_dir_all(&place).with_context(|| place.display().to_string())?;
    let _turn = Flock::lock(File::create(place.join("lock"))?, FlockArg::LockExclusive)
        .map_err(|(_, error)| anyhow!("lock {}: {error}", place.display()))?;
    if !program.is_file() {
        eprintln!("building h2spec (once) into {}", place.display());
        let at = format!("GOBIN={}", place.display());
        let what = format!("github.com/summerwind/h2spec/cmd/h2spec@{H2SPEC_VERSION}");
        command::run("env", &[&at, "go", "install", &what]).with_context(|| {
            format!(
                "h2spec was not built: it takes Go on the search path and the module proxy, or \
                 put it at {}",
                program.display()
            )
        })?;
    }
    Ok(program)
}

const H2SPEC_VERSION: &str = "v2.2.1+incompatible";
