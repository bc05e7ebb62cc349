//! Where it all happens, and the backend there: over loopback, or between the pods of a node.

mod captured;
mod loopback;

use std::{
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
};

use anyhow::{Result, ensure};

use super::{
    config::{Protocol, Scene},
    interrupt,
    load::{Load, Seen, Shape},
    peer::Peer,
    work::Work,
};
use crate::{
    lab::{Connection, Daemon, Netns, Process, Request, command, wait},
    wire::tunnel::PORT as HBONE,
};
use captured::Captured;
use loopback::Loopback;
pub(super) use loopback::at;

/// The place, until it is dropped; what runs in it goes first.
// Fields are dropped in this order.
#[derive(Debug)]
pub(super) struct Stage {
    backend: Process,
    ground: Ground,
}

#[derive(Debug)]
enum Ground {
    Loopback(Box<Loopback>),
    Captured(Box<Captured>),
}

impl Stage {
    /// Over loopback, for every kind of work.
    pub(super) fn loopback() -> Result<Self> {
        Self::on(Ground::Loopback(Box::new(Loopback::new()?)))
    }

    /// Between pods, for one kind of work.
    pub(super) fn captured(work: Work) -> Result<Self> {
        Self::on(Ground::Captured(Box::new(Captured::new(work, backend_port(work))?)))
    }

    fn on(ground: Ground) -> Result<Self> {
        let own = std::process::id().to_string();
        command::run("prlimit", &["--pid", &own, &format!("--nofile={FILES}:")])?;
        // A connection for each request takes a port of the client; they come around.
        ground.clients()?.sysctl("ipv4/tcp_tw_reuse", "1")?;
        ground.clients()?.sysctl("ipv4/ip_local_port_range", "12000 65535")?;
        let backend = ground.serve(|port| ground.backend(port))?;
        Ok(Self { backend, ground })
    }

    /// Another backend, at another address of loopback.
    pub(super) fn serve_also(&self, number: u8) -> Result<Process> {
        self.ground.serve(|port| at(number, port))
    }

    /// The network namespace of proxies.
    pub(super) fn proxies(&self) -> Result<&Netns> {
        match &self.ground {
            Ground::Loopback(loopback) => Ok(&loopback.netns),
            Ground::Captured(captured) => captured.netns_of("peer"),
        }
    }

    /// A directory below the stage's own.
    pub(super) fn folder(&self, of: &str) -> PathBuf {
        self.ground.folder().join(of)
    }

    /// The backend's process.
    pub(super) fn backend(&self) -> u32 {
        self.backend.id()
    }

    /// Where the backend listens for a kind of work.
    pub(super) fn backend_of(&self, work: Work) -> SocketAddr {
        self.ground.backend(backend_port(work))
    }

    /// Where clients dial somebody.
    pub(super) fn door_of(&self, peer: Peer, work: Work) -> SocketAddr {
        let number = match peer {
            Peer::None => return self.backend_of(work),
            Peer::Waypoint => 5,
            Peer::Envoy => 2,
            Peer::Haproxy => 3,
            Peer::Nginx => 4,
        };
        match &self.ground {
            Ground::Captured(captured) if peer == Peer::Waypoint => captured.service,
            Ground::Captured(captured) => SocketAddr::new(captured.peer.ip(), 8000 + number),
            Ground::Loopback(_) => at(u8::try_from(number).unwrap_or_default(), 80),
        }
    }

    /// Where our waypoint takes HBONE.
    pub(super) fn tunnels() -> SocketAddr {
        at(loopback::WAYPOINT, HBONE)
    }

    /// Starts our waypoint, unless it runs already; yields its process.
    pub(super) fn start_ours(&self, scene: &Scene) -> Result<(Option<Daemon>, u32)> {
        match &self.ground {
            Ground::Loopback(loopback) => {
                let (daemon, process) = loopback.start_ours(scene)?;
                Ok((Some(daemon), process))
            }
            Ground::Captured(captured) => Ok((None, captured.process)),
        }
    }

    /// Starts a program on the core of proxies.
    pub(super) fn start_proxy(&self, name: &str, folder: &Path, line: &[&str]) -> Result<Process> {
        let line = [&["-c", PROXY], line].concat();
        Process::start(self.proxies()?, name, folder, Path::new("taskset"), &line)
    }

    /// How a request is answered.
    pub(super) fn status(&self, address: SocketAddr, path: &str) -> Result<u16> {
        let mut request = Request::get(address.to_string());
        path.clone_into(&mut request.path);
        self.ground.clients()?.within(|| {
            let stream = TcpStream::connect(address)?;
            stream.set_read_timeout(Some(wait::SOON))?;
            Ok(Connection::over(stream).exchange(&request)?.status)
        })
    }

    /// Has a client process measure; makes sure that the kernel captured what it was to, and
    /// nothing else.
    pub(super) fn measure(&self, peer: Peer, load: &Load) -> Result<Seen> {
        let before = self.ground.captured()?;
        let seen = self.ask(load)?;
        let captured = self.ground.captured()? > before;
        let is_to_be = peer == Peer::Waypoint && matches!(self.ground, Ground::Captured(_));
        ensure!(
            captured == is_to_be,
            "the kernel captured {}",
            if captured { "it" } else { "nothing" }
        );
        Ok(seen)
    }

    fn ask(&self, load: &Load) -> Result<Seen> {
        let mut client = self.start_client("client", load)?;
        let patience = load.warm_up() + load.period() + wait::SOON * 12;
        let ended = wait::until("end of the client", patience, || {
            if interrupt::came() {
                return Ok(Some(Err(interrupt::error())));
            }
            Ok(client.ended()?.map(Ok))
        });
        if !ended??.success() {
            client.is_alive()?;
        }
        Seen::read(&client.output()?)
    }

    /// Starts a client process; its output is under a name.
    pub(super) fn start_client(&self, name: &str, load: &Load) -> Result<Process> {
        let own = std::env::current_exe()?.display().to_string();
        let mut line: Vec<String> = ["-c", CLIENTS, &own, "client"].map(str::to_owned).into();
        line.extend(load.arguments());
        let (folder, program) = (self.ground.folder(), Path::new("taskset"));
        Process::start(self.ground.clients()?, name, &folder, program, &line)
    }
}

impl Ground {
    fn clients(&self) -> Result<&Netns> {
        match self {
            Self::Loopback(loopback) => Ok(&loopback.netns),
            Self::Captured(captured) => captured.netns_of("client"),
        }
    }

    fn backends(&self) -> Result<&Netns> {
        match self {
            Self::Loopback(loopback) => Ok(&loopback.netns),
            Self::Captured(captured) => captured.netns_of("backend"),
        }
    }

    /// Starts a backend, which listens at these addresses for each of its ports.
    fn serve(&self, at: impl Fn(u16) -> SocketAddr) -> Result<Process> {
        let own = std::env::current_exe()?.display().to_string();
        let ports = [("--http1", HTTP1), ("--http2", HTTP2), ("--bulk", BULK)];
        let doors =
            ports.into_iter().flat_map(|(option, port)| [option.to_owned(), at(port).to_string()]);
        let line = ["-c", CLIENTS, &own, "backend"].map(str::to_owned);
        let line: Vec<String> = line.into_iter().chain(doors).collect();
        let (netns, folder, program) = (self.backends()?, self.folder(), Path::new("taskset"));
        let name = format!("backend-{}", at(0).ip());
        let mut backend = Process::start(netns, &name, &folder, program, &line)?;
        backend.wait_for("listening")?;
        Ok(backend)
    }

    fn folder(&self) -> PathBuf {
        match self {
            Self::Loopback(loopback) => loopback.name.directory(),
            Self::Captured(captured) => captured.lab.name().directory(),
        }
    }

    fn backend(&self, port: u16) -> SocketAddr {
        match self {
            Self::Loopback(_) => at(loopback::BACKEND, port),
            Self::Captured(captured) => SocketAddr::new(captured.backend.ip(), port),
        }
    }

    /// How many connections the kernel captured.
    fn captured(&self) -> Result<u64> {
        match self {
            Self::Loopback(_) => Ok(0),
            Self::Captured(captured) => captured.lab.kernel_counter("captured"),
        }
    }
}

/// The port at which the backend answers a kind of work.
fn backend_port(work: Work) -> u16 {
    match work.protocols().1 {
        _ if work.shape() == Shape::Bulk => BULK,
        Protocol::Http1 => HTTP1,
        Protocol::Http2 => HTTP2,
    }
}

/// The folders of credentials: of our waypoint's clients, of everybody else's, and everybody else's
/// own.
pub(super) const OUR_CLIENT: &str = "our-client";
pub(super) const CLIENT: &str = "client-credentials";
pub(super) const SERVER: &str = "server-credentials";
/// The core of the proxy under test, for `taskset`.
const PROXY: &str = "0";
/// The core of everything else.
const CLIENTS: &str = "1";
const HTTP1: u16 = 8080;
const HTTP2: u16 = 8081;
const BULK: u16 = 8082;
/// Open files of each process, which is the hard limit of many machines.
const FILES: u32 = 20_000;
