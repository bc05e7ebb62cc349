//! Our certificate authority for what is measured, and the part of a waypoint's command line that
//! has to do with it.

use std::{
    ffi::OsString,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::Result;

use crate::{
    lab::{Daemon, Netns, command},
    wire::Desk,
};

/// The authority, until it is dropped; accounts are those of the namespace `bench`.
#[derive(Debug)]
pub(super) struct Ca {
    _controller: Daemon,
    directory: PathBuf,
    address: SocketAddr,
}

impl Ca {
    /// Starts it at an address of a namespace; it keeps its files below a directory.
    pub(super) fn start(
        (netns, address): (&Netns, SocketAddr),
        mut controller: Daemon,
        directory: &Path,
        manifests: &Path,
    ) -> Result<Self> {
        let (listen, ca) = (address.to_string(), directory.join("ca"));
        let mut line: Vec<OsString> = vec!["controller".into(), "--manifests".into()];
        line.extend([manifests.into(), "--ca-dir".into(), ca.into()]);
        line.extend(["--ca-listen", &listen, "--ca-name", NAME].map(OsString::from));
        line.extend(["--admin".into(), admin(&controller)]);
        controller.launch(netns, &line)?;
        controller.wait_until_ready()?;
        Ok(Self { _controller: controller, directory: directory.to_owned(), address })
    }

    /// Where a service account gets its certificate.
    pub(super) fn desk(&self, account: &str) -> Result<Desk> {
        let ca = self.directory.join("ca");
        let program = command::product("waypointd")?.display().to_string();
        let account = format!("bench/{account}");
        let folder = ca.display().to_string();
        let line = ["token", "--ca-dir", &folder, "--service-account", &account];
        let token = command::run(&program, &line)?.trim().to_owned();
        let root = fs::read_to_string(ca.join("root-cert.pem"))?;
        Ok(Desk { address: self.address, name: NAME.to_owned(), root, token })
    }

    /// How the waypoint `bench/waypoint` is started, with one worker.
    pub(super) fn proxy_arguments(&self, manifests: &Path, token: &Path) -> Vec<OsString> {
        let (address, root) = (self.address.to_string(), self.directory.join("ca/root-cert.pem"));
        let mut line: Vec<OsString> =
            vec!["proxy".into(), "--gateway".into(), "bench/waypoint".into()];
        line.extend(["--pod", "bench/waypoint", "--workers", "1"].map(OsString::from));
        line.extend(["--ca-address", &address, "--ca-name", NAME].map(OsString::from));
        let files = [("--manifests", manifests), ("--ca-root", &root), ("--ca-token", token)];
        line.extend(files.into_iter().flat_map(|(option, path)| [option.into(), path.into()]));
        line
    }
}

/// Where a process answers questions.
pub(super) fn admin(daemon: &Daemon) -> OsString {
    format!("unix:{}", daemon.admin().display()).into()
}

/// Who a service account is.
pub(super) fn identity(account: &str) -> String {
    format!("spiffe://cluster.local/ns/bench/sa/{account}")
}

const NAME: &str = "waypoint.waypoint-system.svc";
