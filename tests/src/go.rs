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
    let place = built("h2spec", H2SPEC_VERSION, &[("github.com/summerwind/h2spec/cmd", "h2spec")])?;
    Ok(place.join("h2spec"))
}

/// The client and the server by which implementations of gRPC are tried against each other.
pub fn grpc_interop() -> Result<(PathBuf, PathBuf)> {
    let module = "google.golang.org/grpc/interop";
    let place = built("grpc-interop", GRPC_VERSION, &[(module, "client"), (module, "server")])?;
    Ok((place.join("client"), place.join("server")))
}

/// The folder of programs of one version, each the last part of a package's path.
fn built(name: &str, version: &str, packages: &[(&str, &str)]) -> Result<PathBuf> {
    let place = command::target()?.join(name).join(version);
    fs::create_dir_all(&place).with_context(|| place.display().to_string())?;
    let _turn = Flock::lock(File::create(place.join("lock"))?, FlockArg::LockExclusive)
        .map_err(|(_, error)| anyhow!("lock {}: {error}", place.display()))?;
    if packages.iter().any(|(_, program)| !place.join(program).is_file()) {
        eprintln!("building {name} (once) into {}", place.display());
        let at = format!("GOBIN={}", place.display());
        let package = |(path, program): &(&str, &str)| format!("{path}/{program}@{version}");
        let packages: Vec<String> = packages.iter().map(package).collect();
        let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
        let line = [&[&at, "go", "install"], &packages[..]].concat();
        command::run("env", &line).with_context(|| {
            format!(
                "{name} was not built: it takes Go on the search path and the module proxy, or \
                 put its programs into {}",
                place.display()
            )
        })?;
    }
    Ok(place)
}

const H2SPEC_VERSION: &str = "v2.2.1+incompatible";
const GRPC_VERSION: &str = "v1.79.3";
