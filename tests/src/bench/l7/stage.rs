//! Where it all happens: a network namespace with addresses of its own, and the backend.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::{config, interrupt, load::Load, load::Seen};
use crate::{
    bench::ca::{Ca, identity},
    lab::{Daemon, Name, Netns, Process, command, wait},
    wire::{Authority, Credentials},
};

/// The place, until it is dropped; what runs in it goes first.
// Fields are dropped in this order.
#[derive(Debug)]
pub(super) struct Stage {
    backend: Process,
    ca: Ca,
    netns: Netns,
    name: Name,
}

impl Stage {
    pub(super) fn new() -> Result<Self> {
        let name = Name::unique();
        let folder = name.directory();
        fs::create_dir_all(&folder)?;
        let netns = Netns::create(&[name.of("bench")])?.remove(0);
        let addresses =
            (1..=ADDRESSES).map(|number| format!("addr add {}/32 dev lo\n", at(number, 0).ip()));
        netns.ip(&addresses.fold("link set lo up\n".to_owned(), |all, line| all + &line))?;
        // A connection for each request takes a port of the client; they come around.
        netns.sysctl("ipv4/tcp_tw_reuse", "1")?;
        netns.sysctl("ipv4/ip_local_port_range", "12000 65535")?;
        let own = std::process::id().to_string();
        command::run("prlimit", &["--pid", &own, &format!("--nofile={FILES}:")])?;
        let empty = folder.join("no-manifests");
        fs::create_dir_all(&empty)?;
        let controller = Daemon::new(name.part("ca"))?;
        let ca = Ca::start((&netns, at(CA, 15012)), controller, &folder, &empty)?;
        write_credentials(&folder, &netns, &ca)?;
        let backend = start_backend(&netns, &folder)?;
        Ok(Self { backend, ca, netns, name })
    }

    pub(super) fn netns(&self) -> &Netns {
        &self.netns
    }

    pub(super) fn ca(&self) -> &Ca {
        &self.ca
    }

    /// A directory below the stage's own.
    pub(super) fn folder(&self, of: &str) -> PathBuf {
        self.name.directory().join(of)
    }

    /// A process of ours that does not run yet.
    pub(super) fn daemon(&self, role: &str) -> Result<Daemon> {
        Daemon::new(self.name.part(role))
    }

    pub(super) fn backend(&self) -> u32 {
        self.backend.id()
    }

    /// Starts a program on the core of proxies.
    pub(super) fn start_proxy(&self, name: &str, folder: &Path, line: &[&str]) -> Result<Process> {
        let line = [&["-c", PROXY], line].concat();
        Process::start(&self.netns, name, folder, Path::new("taskset"), &line)
    }

    /// Has a client process measure.
    pub(super) fn measure(&self, load: &Load) -> Result<Seen> {
        let own = std::env::current_exe()?.display().to_string();
        let mut line: Vec<String> = ["-c", CLIENTS, &own, "client"].map(str::to_owned).into();
        line.extend(load.arguments());
        let (folder, program) = (self.name.directory(), Path::new("taskset"));
        let mut client = Process::start(&self.netns, "client", &folder, program, &line)?;
        let patience = load.warm_up() + load.period() + wait::SOON * 12;
        let ended = wait::until("end of the client", patience, || {
            if interrupt::came() {
                return Ok(Some(Err(interrupt::error())));
            }
            Ok(client.ended()?.map(Ok))
        });
        let (status, said) = (ended??, client.output()?);
        if !status.success() {
            client.is_alive()?;
        }
        Seen::read(&said)
    }
}

impl Drop for Stage {
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
    write_pem(&folder.join(OUR_CLIENT), &ours)?;
    let authority = Authority::new()?;
    write_pem(&folder.join(CLIENT), &authority.issue(&identity("client"))?)?;
    write_pem(&folder.join(SERVER), &authority.issue(&identity("waypoint"))?)
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

fn start_backend(netns: &Netns, folder: &Path) -> Result<Process> {
    let own = std::env::current_exe()?.display().to_string();
    let ports = [("--http1", HTTP1), ("--http2", HTTP2), ("--bulk", BULK)];
    let doors =
        ports.into_iter().flat_map(|(option, port)| [option.into(), at(BACKEND, port).to_string()]);
    let line = ["-c", CLIENTS, &own, "backend"].map(str::to_owned);
    let line: Vec<String> = line.into_iter().chain(doors).collect();
    let mut backend = Process::start(netns, "backend", folder, Path::new("taskset"), &line)?;
    backend.wait_for("listening")?;
    Ok(backend)
}

/// Where the backend listens for a kind of work.
pub(super) fn backend_of(protocol: config::Protocol, is_bulk: bool) -> SocketAddr {
    match protocol {
        _ if is_bulk => at(BACKEND, BULK),
        config::Protocol::Http1 => at(BACKEND, HTTP1),
        config::Protocol::Http2 => at(BACKEND, HTTP2),
    }
}

/// A socket address on the stage, by number.
pub(super) fn at(number: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([10, 77, 2, number], port))
}

/// The folders of credentials: of our waypoint's clients, of everybody else's, and everybody else's
/// own.
pub(super) const OUR_CLIENT: &str = "our-client";
pub(super) const CLIENT: &str = "client-credentials";
pub(super) const SERVER: &str = "server-credentials";
/// The core of the proxy under test, for `taskset`.
pub(super) const PROXY: &str = "0";
/// The core of everything else.
const CLIENTS: &str = "1";
/// Whose number is whose.
const BACKEND: u8 = 9;
const CA: u8 = 10;
/// How many addresses the loopback device has.
const ADDRESSES: u8 = 16;
const HTTP1: u16 = 8080;
const HTTP2: u16 = 8081;
const BULK: u16 = 8082;
/// Open files of each process, which is the hard limit of many machines.
const FILES: u32 = 20_000;
