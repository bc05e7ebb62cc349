//! A process that holds a node's data path: the kernel's half, the engine behind it, and what shows
//! both.
//!
//! It decides nothing; it starts the parts in the order in which they need each other and stops
//! them in the reverse.
//!
//! **Invariant:** the process says that it is ready only after the kernel's path was probed end to
//! end.
//! **Invariant:** capture stops before the engine does, so that nobody is handed to an engine that
//! ends, and certificates are renewed until it has ended.

use std::{path::PathBuf, sync::Arc};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    identity::Identities,
    kernel::{self, DataPath, Sockets, service_vips},
    proxy::{self, Doors, Engine, Network, Surroundings},
    sync::Feed,
    telemetry::{
        access::AccessLog,
        admin::{self, AdminAddress, Content, Serving},
        flows::Hub,
        logging::LogLevel,
        metrics::Registry,
        readiness::Readiness,
        task,
    },
};

use super::{
    Error,
    applied::Applied,
    parts::{FLUSH_PATIENCE, config_in_force, start_access_log},
};

/// What every process is told that holds a data path.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is put on the host.
    pub kernel: kernel::Settings,
    /// How connections are handled.
    pub proxy: proxy::Settings,
    /// Where operators look.
    pub admin: AdminAddress,
    /// The nftables table that forwards Service addresses, if this process keeps one.
    pub service_vips: Option<String>,
    /// The cgroup whose connections are watched, if any are.
    pub cgroup: Option<PathBuf>,
    /// Whether requests and connections are logged on stdout.
    pub access_log: bool,
}

/// The process itself, and when its parts end.
pub(super) struct Process {
    pub(super) registry: Registry,
    pub(super) readiness: Readiness,
    pub(super) level: LogLevel,
    /// Asks everything to end.
    pub(super) shutdown: CancellationToken,
    /// Ends what outlives the drain.
    pub(super) drained: CancellationToken,
}

impl Process {
    /// One of which no part has started.
    pub(super) fn new(level: LogLevel, shutdown: CancellationToken) -> Self {
        let (registry, readiness) = (Registry::new(), Readiness::new());
        Self { registry, readiness, level, shutdown, drained: CancellationToken::new() }
    }
}

/// What one role gives its engine and another does not.
pub(super) struct Role<N> {
    /// The mesh.
    pub(super) feed: Feed,
    /// What identities are proven with.
    pub(super) identities: Option<Identities>,
    /// Makes that where connections are opened from.
    pub(super) network: N,
}

/// Runs until shutdown is asked for and everything has ended.
pub(super) async fn run<N>(settings: Settings, role: Role<N>, process: Process) -> Result<(), Error>
where
    N: FnOnce(Sockets) -> Arc<dyn Network>,
{
    let Role { feed, identities, network } = role;
    let mut data_path = DataPath::prepare(settings.kernel.clone(), &process.registry).await?;
    let access_log = start_access_log(settings.access_log, &process.registry);
    let access_log = access_log.map_err(Error::AccessLog)?;
    let surroundings = Surroundings {
        snapshots: feed.snapshots.clone(),
        doors: doors(&mut data_path),
        origins: data_path.origins(),
        network: network(data_path.sockets()),
        identities,
        telemetry: telemetry(&process.registry, &access_log),
    };
    let engine = Engine::start(settings.proxy.clone(), surroundings)?;
    let gate = process.readiness.gate("data path");
    let sights = Sights::open(&settings, &feed, &data_path, &process)?;
    let captured = data_path.run(feed.snapshots.clone(), gate, process.shutdown.clone()).await;
    // Capture can also end by itself; then everything else must.
    process.shutdown.cancel();
    let counts = engine.drain().await;
    tracing::info!(finished = counts.finished, cut = counts.cut, "drained");
    access_log.flush(FLUSH_PATIENCE);
    process.drained.cancel();
    sights.closed().await;
    // A task that panicked was logged when it did.
    let _ = feed.follower.await;
    Ok(captured?)
}

/// What shows and completes the data path: Service addresses, watched connections, and the admin
/// endpoint, which outlives the drain so that it can be watched.
struct Sights {
    vips: Option<JoinHandle<()>>,
    admin: Serving,
}

impl Sights {
    fn open(
        settings: &Settings,
        feed: &Feed,
        data_path: &DataPath,
        process: &Process,
    ) -> Result<Self, Error> {
        let mut applied = Applied::new(feed, data_path);
        let vips = settings.service_vips.clone().map(|table| {
            let progress = applied.service_vips();
            let gate = process.readiness.gate("service addresses");
            let (snapshots, shutdown) = (feed.snapshots.clone(), process.shutdown.clone());
            let run = service_vips::run(snapshots, table, progress, gate, shutdown);
            task::spawn("service-vips", run)
        });
        applied.register(&process.registry);
        let flows = Hub::new();
        flows.export(&process.registry);
        if let Some(cgroup) = &settings.cgroup {
            let watched = data_path.flows(cgroup)?;
            let (snapshots, shutdown) = (feed.snapshots.clone(), process.shutdown.clone());
            watched.follow(snapshots, &process.registry, flows.clone(), shutdown)?;
        }
        let content = Content {
            registry: process.registry.clone(),
            readiness: process.readiness.clone(),
            level: process.level.clone(),
            flows,
            config: config_in_force(feed),
        };
        let admin = admin::serve(&settings.admin, content, process.drained.clone())?;
        tracing::info!(admin = %admin.address, "starting");
        Ok(Self { vips, admin })
    }

    /// Waits until all of it has ended.
    async fn closed(self) {
        for ended in self.vips.into_iter().chain([self.admin.ended]) {
            // A task that panicked was logged when it did.
            let _ = ended.await;
        }
    }
}

/// The listeners of each worker.
fn doors(data_path: &mut DataPath) -> Vec<Doors> {
    let of_worker = |listeners: kernel::Listeners| Doors {
        captured: listeners.captured,
        inbound: listeners.inbound,
        ..Doors::default()
    };
    data_path.listeners().into_iter().map(of_worker).collect()
}

fn telemetry(registry: &Registry, access_log: &AccessLog) -> proxy::Telemetry {
    proxy::Telemetry { registry: registry.clone(), access_log: access_log.clone() }
}
