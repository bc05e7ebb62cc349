//! Who is measured, and how each is started.
//!
//! **Invariant:** nobody is measured at choosing who does not choose: a request that no route or no
//! rule is for has to be refused first.

use std::{fmt, net::SocketAddr, net::TcpStream, path::PathBuf};

use anyhow::{Context, Result, ensure};

use super::{
    config::{self, Protocol, Scene, envoy, haproxy, nginx},
    load::{Carrier, Load},
    stage::{self, Stage},
    work::{self, Work},
};
use crate::{
    bench::ca::identity,
    lab::{
        Daemon, Process,
        wait::{self, SOON},
    },
};

/// Who is measured.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Peer {
    /// Our waypoint.
    Waypoint,
    /// Envoy.
    Envoy,
    /// HAProxy.
    Haproxy,
    /// nginx.
    Nginx,
    /// The clients ask the backend.
    None,
}

/// A started proxy, until it is dropped.
#[derive(Debug)]
pub(super) struct Running {
    /// How it is asked.
    pub(super) load: Load,
    _alive: Alive,
}

/// What was started.
#[derive(Debug)]
enum Alive {
    Ours { _proxy: Option<Daemon> },
    Peer { _proxy: Process },
    Nothing,
}

impl Peer {
    pub(super) const ALL: [Self; 5] =
        [Self::Waypoint, Self::Envoy, Self::Haproxy, Self::Nginx, Self::None];

    /// Whether it can do that.
    pub(super) fn does(self, work: Work) -> bool {
        match self {
            Self::Nginx => work.protocols().1 == Protocol::Http1,
            // Nothing routes, judges or holds there; a handshake would be the backend's.
            Self::None => !work.is_idle() && !work.is_tls() && work != Work::Http2ToHttp1,
            _ => true,
        }
    }

    /// Starts it for one kind of work.
    pub(super) fn start(self, work: Work, stage: &Stage) -> Result<Running> {
        let scene = self.scene(work, stage);
        let load = self.load(work, &scene, stage);
        let (load, alive) = match self {
            Self::None => (load, Alive::Nothing),
            Self::Waypoint => {
                let (daemon, process) = stage.start_ours(&scene)?;
                (Load { proxy: Some(process), ..load }, Alive::Ours { _proxy: daemon })
            }
            _ => {
                let process = self.start_peer(&scene, stage)?;
                (Load { proxy: Some(process.id()), ..load }, Alive::Peer { _proxy: process })
            }
        };
        if self != Self::None && work.is_choosy() {
            let status = stage.status(load.connect, "/nowhere")?;
            ensure!(REFUSALS.contains(&status), "what is for nobody was answered {status}");
        }
        Ok(Running { load, _alive: alive })
    }

    fn scene(self, work: Work, stage: &Stage) -> Scene {
        Scene {
            listen: stage.door_of(self, work),
            backend: stage.backend_of(work),
            folder: stage.folder(&self.to_string()),
            credentials: work.is_tls().then(|| stage.folder(stage::SERVER)),
            protocols: work.protocols(),
            is_dressed: work.is_dressed(),
            routes: work.routes(),
            rules: work.rules(),
        }
    }

    /// How it is asked, by a client that knows no process yet.
    fn load(self, work: Work, scene: &Scene, stage: &Stage) -> Load {
        let (connect, carrier, credentials) = match (self, work.is_tls()) {
            (_, false) => (scene.listen, Carrier::Plain, None),
            (Self::Waypoint, true) => (Stage::tunnels(), Carrier::Hbone, Some(stage::OUR_CLIENT)),
            (_, true) => (scene.listen, Carrier::Tls, Some(stage::CLIENT)),
        };
        let path = if work.rules() > 0 {
            config::path_of_rule(work.rules() - 1) + config::PATH
        } else {
            work.routes().path()
        };
        Load {
            shape: work.shape(),
            carrier,
            connect,
            host: scene.listen,
            connections: 0,
            streams: 1,
            rate: work::RATE,
            path,
            tenant: work.routes().tenant(),
            warm_up: 0,
            period: 0,
            credentials: credentials.map(|folder| stage.folder(folder)),
            identity: credentials.map(|_| identity("waypoint")),
            proxy: None,
            backend: stage.backend(),
        }
    }

    fn start_peer(self, scene: &Scene, stage: &Stage) -> Result<Process> {
        let files = match self {
            Self::Envoy => envoy::files(scene),
            Self::Haproxy => haproxy::files(scene),
            _ => nginx::files(scene),
        };
        config::write(scene, &files)?;
        let (name, _) = files.first().context("no configuration")?;
        let file = scene.folder.join(name).display().to_string();
        let program = self.program()?.display().to_string();
        let line: Vec<&str> = match self {
            Self::Envoy => {
                let quiet = ["--concurrency", "1", "--disable-hot-restart", "-l", "warning"];
                [&[program.as_str(), "-c", &file], &quiet[..]].concat()
            }
            Self::Haproxy => vec![&program, "-db", "-f", &file],
            _ => vec![&program, "-c", &file, "-e", "stderr"],
        };
        let mut process = stage.start_proxy(&self.to_string(), &scene.folder, &line)?;
        wait_until_dialled(self, scene.listen, stage, &mut process)?;
        Ok(process)
    }

    fn program(self) -> Result<PathBuf> {
        let places = match self {
            Self::Envoy => return crate::envoy::executable(),
            Self::Haproxy => ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy"],
            _ => ["/usr/sbin/nginx", "/usr/local/sbin/nginx"],
        };
        let found = places.into_iter().map(PathBuf::from).find(|path| path.is_file());
        found.with_context(|| format!("{self} is not installed; `cargo xtask bench l7` does that"))
    }
}

fn wait_until_dialled(
    peer: Peer,
    address: SocketAddr,
    stage: &Stage,
    process: &mut Process,
) -> Result<()> {
    wait::until_true(&format!("listener of {peer} on {address}"), SOON, || {
        process.is_alive()?;
        stage.proxies()?.within(|| Ok(TcpStream::connect(address).is_ok()))
    })
}

impl fmt::Display for Peer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Waypoint => "Waypoint",
            Self::Envoy => "Envoy",
            Self::Haproxy => "HAProxy",
            Self::Nginx => "nginx",
            Self::None => "no proxy",
        })
    }
}

/// How a request is refused: not allowed, without a route, or without a backend.
const REFUSALS: [u16; 3] = [403, 404, 503];
