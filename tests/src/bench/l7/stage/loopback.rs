//! One network namespace with addresses of its own, in which everybody is reached over loopback.
//!
//! Our waypoint is a process of its own there, and serves its Service at the Service's address.

use std::{fs, net::SocketAddr, path::Path};

use anyhow::{Context, Result};

use super::super::config::{self, Scene, ours};
use crate::{
    bench::ca::{self, Ca, identity},
    lab::{Daemon, Name, Netns},
    wire::{Authority, Credentials},
};

/// The place, until it is dropped.
// Fields are dropped in this order.
#[derive(Debug)]
pub(super) struct Loopback {
    ca: Ca,
    pub(super) netns: Netns,
    pub(super) name: Name,
}

impl Loopback {
    pub(super) fn new() -> Result<Self> {
        let name = Name::unique();
        let folder = name.directory();
        fs::create_dir_all(&folder)?;
        let netns = Netns::create(&[name.of("bench")])?.remove(0);
        let addresses =
            (1..=ADDRESSES).map(|number| format!("addr add {}/32 dev lo\n", at(number, 0).ip()));
        netns.ip(&addresses.fold("link set lo up\n".to_owned(), |all, line| all + &line))?;
        let empty = folder.join("no-manifests");
        fs::create_dir_all(&empty)?;
        let controller = Daemon::new(name.part("ca"))?;
        let ca = Ca::start((&netns, at(CA, CA_PORT)), controller, &folder, &empty)?;
        write_credentials(&folder, &netns, &ca)?;
        Ok(Self { ca, netns, name })
    }

    /// Starts our waypoint, and yields its process.
    pub(super) fn start_ours(&self, scene: &Scene) -> Result<(Daemon, u32)> {
        let manifests = scene.folder.join("manifests");
        let inside = Scene { folder: manifests.clone(), ..scene.clone() };
        config::write(&inside, &ours::files(scene, at(WAYPOINT, 0).ip()))?;
        let token = scene.folder.join("token");
        fs::write(&token, self.ca.desk("waypoint")?.token)?;
        let mut daemon = Daemon::new(self.name.part("waypoint"))?;
        let mut line = self.ca.proxy_arguments(&manifests, &token);
        line.extend(["--listen-service".into(), scene.listen.to_string().into()]);
        line.extend(["--admin".into(), ca::admin(&daemon)]);
        if !scene.is_dressed {
            line.push("--no-access-log".into());
        }
        let pinned = ["taskset", "-c", super::PROXY].map(Into::into);
        daemon.launch_within(&self.netns, &pinned, &line)?;
        daemon.wait_until_ready()?;
        let process = daemon.process()?.id();
        Ok((daemon, process))
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.name.scrub();
    }
}

/// What clients and proxies prove themselves with: from our authority, and from one of tests.
fn write_credentials(folder: &Path, netns: &Netns, ca: &Ca) -> Result<()> {
    let desk = ca.desk("client")?;
    let ours = netns.within(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(desk.issue(&identity("client")))
    })?;
    write_pem(&folder.join(super::OUR_CLIENT), &ours)?;
    let authority = Authority::new()?;
    write_pem(&folder.join(super::CLIENT), &authority.issue(&identity("client"))?)?;
    write_pem(&folder.join(super::SERVER), &authority.issue(&identity("waypoint"))?)
}

fn write_pem(folder: &Path, credentials: &Credentials) -> Result<()> {
    let Credentials { chain, key, root } = credentials;
    fs::create_dir_all(folder)?;
    let both = format!("{chain}{key}");
    let files = [("chain.pem", chain), ("key.pem", key), ("root.pem", root), ("both.pem", &both)];
    for (name, text) in files {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// A socket address by number.
pub(in crate::bench::l7) fn at(number: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([10, 77, 2, number], port))
}

/// The number of our waypoint itself; its Service has another, as a proxy of its own has.
pub(super) const WAYPOINT: u8 = 1;
pub(super) const BACKEND: u8 = 9;
const CA: u8 = 10;
const CA_PORT: u16 = 15012;
/// How many addresses the loopback device has.
const ADDRESSES: u8 = 16;
