//! Envoy, as the other side of HBONE and as what we are measured against.
//!
//! It speaks HBONE as Istio configures it (pilot `core/listener_waypoint.go`), written here from
//! the protocol; nothing of it is part of the product.
//!
//! **Invariant:** one worker thread, no access log, no admin port: what runs is what was asked for.

mod bootstrap;
mod cluster;
mod listener;
mod transport;
mod wheel;

use std::{fs, net::SocketAddr, net::TcpStream, path::Path};

use anyhow::Result;

use crate::lab::{
    Netns, Process,
    wait::{self, SOON},
};

pub use self::{
    bootstrap::Bootstrap,
    cluster::{Cluster, Tunnel},
    listener::Listener,
    wheel::executable,
};

/// Starts it inside a namespace and waits until it can be dialled; `wrapper` is a program with
/// arguments that runs it, such as `taskset`.
pub fn start(
    netns: &Netns,
    directory: &Path,
    bootstrap: &Bootstrap,
    wrapper: &[&str],
) -> Result<Process> {
    let program = executable()?.display().to_string();
    fs::create_dir_all(directory)?;
    let file = directory.join("envoy.json");
    fs::write(&file, bootstrap.to_string())?;
    let file = file.display().to_string();
    let own =
        [&program, "-c", &file, "--concurrency", "1", "--disable-hot-restart", "-l", "warning"];
    let line = [wrapper, &own].concat();
    let (first, rest) = line.split_first().unwrap_or((&"", &[]));
    let mut process = Process::start(netns, "envoy", directory, Path::new(first), rest)?;
    for address in bootstrap.addresses() {
        wait_until_dialled(netns, *address, &mut process)?;
    }
    Ok(process)
}

fn wait_until_dialled(netns: &Netns, address: SocketAddr, process: &mut Process) -> Result<()> {
    wait::until_true(&format!("listener of Envoy on {address}"), SOON, || {
        process.is_alive()?;
        netns.within(|| Ok(TcpStream::connect(address).is_ok()))
    })
}
