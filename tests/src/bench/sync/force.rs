//! What puts a Snapshot in force: an agent's data path and engine, or a waypoint's engine.
//!
//! Nothing passes through the engines but the data path's own probe.

use std::{path::PathBuf, sync::Arc};

use anyhow::Result;
use tokio::{runtime::Runtime, sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use waypoint_user::{
    kernel::{self, DataPath},
    mesh::{object::ObjectName, request::Origin, snapshot::Snapshot},
    proxy::{
        self, Doors, Duty, Engine, LocalHop, Node, OwnNetwork, Surroundings, Telemetry,
        listen::{Ports, waypoint_doors},
    },
    telemetry::{access::AccessLog, metrics::Registry, readiness::Readiness, traces::Tracing},
};

use super::follower::{NODE, Role, WAYPOINT_NAMESPACE};

/// What puts Snapshots in force.
pub(super) enum Force {
    /// The maps of a data path, whose probe an engine answers.
    Agent(Kernel, Engine),
    /// The route tables of an engine.
    Waypoint(Engine, watch::Receiver<Option<Arc<Snapshot>>>),
    /// Being published is enough.
    Controller,
}

type Snapshots = watch::Receiver<Arc<Snapshot>>;

impl Force {
    /// Starts it.
    pub(super) fn start(
        role: Role,
        runtime: &Runtime,
        snapshots: Snapshots,
        (registry, shutdown): (&Registry, &CancellationToken),
    ) -> Result<Self> {
        Ok(match role {
            Role::Agent => {
                let mut path = runtime.block_on(DataPath::prepare(Kernel::settings(), registry))?;
                let of_worker = |listeners: kernel::Listeners| Doors {
                    captured: listeners.captured,
                    inbound: listeners.inbound,
                    ..Doors::default()
                };
                let doors = path.listeners().into_iter().map(of_worker).collect();
                let node = Node { name: NODE.to_owned(), local_hop: LocalHop::default() };
                let origins = path.origins();
                let around = surroundings(snapshots.clone(), doors, registry);
                let engine = engine(Duty::Node(node), Surroundings { origins, ..around })?;
                Self::Agent(Kernel::start(runtime, path, snapshots, shutdown.clone()), engine)
            }
            Role::Waypoint => {
                let own = ObjectName::new(WAYPOINT_NAMESPACE, "waypoint");
                let doors =
                    waypoint_doors(&Ports { hbone: 0, proxied: None, services: Vec::new() }, 1)?;
                let engine = engine(Duty::Waypoint(own), surroundings(snapshots, doors, registry))?;
                let in_force = engine.in_force();
                Self::Waypoint(engine, in_force)
            }
            Role::Controller => Self::Controller,
        })
    }

    /// Whether this very Snapshot is in force.
    pub(super) fn has(&self, snapshot: &Arc<Snapshot>) -> bool {
        match self {
            Self::Agent(kernel, _) => kernel.progress.has(snapshot),
            Self::Waypoint(_, in_force) => {
                in_force.borrow().as_ref().is_some_and(|one| Arc::ptr_eq(one, snapshot))
            }
            Self::Controller => true,
        }
    }

    /// Ends it and leaves the host as it was.
    pub(super) fn end(self, runtime: &Runtime) -> Result<()> {
        match self {
            Self::Agent(kernel, engine) => {
                kernel.end(runtime)?;
                runtime.block_on(engine.drain());
            }
            Self::Waypoint(engine, _) => drop(runtime.block_on(engine.drain())),
            Self::Controller => {}
        }
        Ok(())
    }
}

fn engine(duty: Duty, surroundings: Surroundings) -> Result<Engine> {
    Ok(Engine::start(proxy::Settings { duty, ..proxy::Settings::default() }, surroundings)?)
}

fn surroundings(snapshots: Snapshots, doors: Vec<Doors>, registry: &Registry) -> Surroundings {
    let access_log = AccessLog::off(registry);
    Surroundings {
        snapshots,
        doors,
        origins: Arc::new(|_| Origin::Unknown),
        network: Arc::new(OwnNetwork::default()),
        identities: None,
        telemetry: Telemetry {
            registry: registry.clone(),
            access_log,
            tracing: Tracing::default(),
        },
    }
}

/// The agent's data path.
pub(super) struct Kernel {
    progress: kernel::Progress,
    running: JoinHandle<Result<kernel::Ended, kernel::Error>>,
}

impl Kernel {
    fn settings() -> kernel::Settings {
        kernel::Settings {
            pin_dir: PathBuf::from("/sys/fs/bpf/wpt-bench-sync"),
            run_dir: PathBuf::from("/run/wpt-bench-sync"),
            link: "wptbsd".to_owned(),
            workers: 1,
            node: Some(NODE.to_owned()),
            ..kernel::Settings::default()
        }
    }

    fn start(
        runtime: &Runtime,
        path: DataPath,
        snapshots: Snapshots,
        shutdown: CancellationToken,
    ) -> Self {
        let (progress, gate) = (path.progress(), Readiness::new().gate("data path"));
        let running = runtime.spawn(path.run(snapshots, gate, shutdown));
        Self { progress, running }
    }

    fn end(self, runtime: &Runtime) -> Result<()> {
        runtime.block_on(self.running)??;
        kernel::cleanup(&Self::settings())?;
        Ok(())
    }
}
