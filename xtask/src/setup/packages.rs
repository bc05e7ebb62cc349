//! Debian packages: which are missing, and installing them.

use std::path::Path;

use anyhow::{Result, bail};

use crate::shell::{ask, command, is_root, run, say, which};

/// The packages of the programs that building and testing call and that are not there.
pub(crate) fn missing_tools() -> Vec<&'static str> {
    TOOLS
        .iter()
        .filter(|(program, _)| which(program).is_none())
        .map(|(_, package)| *package)
        .collect()
}

/// The same for what only the nodes of a cluster on this machine need.
pub(crate) fn missing_for_nodes() -> Vec<&'static str> {
    let missing = NODE_TOOLS
        .iter()
        .filter(|(program, _)| which(program).is_none() && !Path::new(program).is_file());
    missing.map(|(_, package)| *package).collect()
}

/// The same for the proxies that the engine is measured beside; Debian may start them as services.
pub(crate) fn missing_peers() -> Vec<&'static str> {
    let missing = PEERS.iter().filter(|(program, _)| which(program).is_none());
    missing.map(|(_, package)| *package).collect()
}

/// Installs packages, or says which command would.
pub(crate) fn ensure(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let list = packages.join(" ");
    let by_hand = format!("apt-get install -y --no-install-recommends {list}");
    if which("apt-get").is_none() {
        bail!("this is not Debian: install the equivalent of {list}, then try again");
    }
    if !is_root() {
        bail!("some packages are missing and only root may install them: run `sudo {by_hand}`");
    }
    say(&format!("setup: installing {list}"));
    run(apt().args(["update", "-q"]))?;
    run(apt().args(["install", "-y", "-q", "--no-install-recommends"]).args(packages))
}

/// True when the package archives that this machine knows have the package.
pub(crate) fn is_offered(package: &str) -> bool {
    ask(&mut command("apt-cache", &["show", package])).is_some_and(|text| !text.is_empty())
}

fn apt() -> std::process::Command {
    let mut apt = command("apt-get", &[]);
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    apt
}

/// A program that is called, and the Debian package that brings it.
const TOOLS: &[(&str, &str)] = &[
    ("cc", "gcc"),
    ("c++", "g++"),
    ("curl", "curl"),
    ("h2load", "nghttp2-client"),
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("nsenter", "util-linux"),
    ("openssl", "openssl"),
    ("slowhttptest", "slowhttptest"),
    ("sysctl", "procps"),
    ("tcpdump", "tcpdump"),
];

/// The same for the nodes of a cluster; a path is of a program that is not on the search path.
const NODE_TOOLS: &[(&str, &str)] = &[
    ("containerd", "containerd"),
    ("runc", "runc"),
    ("/usr/lib/cni/bridge", "containernetworking-plugins"),
    ("conntrack", "conntrack"),
    ("socat", "socat"),
];

/// The same for the proxies that the engine is measured beside.
const PEERS: &[(&str, &str)] = &[("haproxy", "haproxy"), ("nginx", "nginx")];
