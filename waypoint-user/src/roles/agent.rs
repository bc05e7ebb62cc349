//! A node's agent: what its pods open is carried to waypoints and to other nodes, and what arrives
//! for them by HBONE is delivered.
//!
//! It decides nothing; it starts the parts in the order in which they need each other and stops
//! them in the reverse.
//!
//! **Invariant:** the process says that it is ready only after the kernel's path was probed end to
//! end, and its pods' first certificates are there.
//! **Invariant:** capture stops before the engine does, so that nobody is handed to an engine that
//! ends, and certificates are renewed until it has ended.

mod network;
mod wanted;

use std::{io, path::PathBuf, sync::Arc};

use tokio_util::sync::CancellationToken;

use crate::{
    identity::{self, Identities, Issuer},
    kernel::{self, DataPath, service_vips},
    proxy::{self, Doors, Engine, Surroundings},
    sync::{self, directory},
    telemetry::{
        admin::{self, AdminAddress, Content},
        logging::LogLevel,
        metrics::Registry,
        readiness::Readiness,
        task,
    },
};

use self::network::NodeNetwork;
use super::{
    applied::Applied,
    parts::{FLUSH_PATIENCE, config_in_force, start_access_log, watch_flows},
};

/// What an agent needs to know.
pub struct Config {
    /// Where the mesh comes from.
    pub sync: sync::Settings,
    /// What is put on the host.
    pub kernel: kernel::Settings,
    /// How connections are handled.
    pub proxy: proxy::Settings,
    /// The node's name.
    pub node: String,
    /// The socket mark of connections that the node opens in its own name.
    pub upstream_mark: u32,
    /// How certificates are kept.
    pub identity: identity::Settings,
    /// Where operators look.
    pub admin: AdminAddress,
    /// The nftables table that forwards Service addresses, if this process keeps one.
    pub service_vips: Option<String>,
    /// The cgroup whose connections are watched, if any are.
    pub cgroup: Option<PathBuf>,
    /// Whether connections are logged on stdout.
    pub access_log: bool,
}

/// Runs until shutdown is asked for and everything has ended. `issuer` signs the pods'
/// certificates.
pub async fn run(
    config: Config,
    issuer: impl Issuer,
    level: LogLevel,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let (registry, readiness) = (Registry::new(), Readiness::new());
    // What outlives the drain.
    let drained = CancellationToken::new();
    let feed = directory::watch(config.sync, shutdown.clone())?;
    let identities = Identities::start(config.identity, issuer, &registry, drained.clone());
    let gate = readiness.gate("certificates");
    let follow = wanted::follow(
        config.node,
        identities.clone(),
        feed.snapshots.clone(),
        gate,
        drained.clone(),
    );
    task::spawn("wanted identities", follow);
    let mut data_path = DataPath::prepare(config.kernel, &registry).await?;
    let access_log = start_access_log(config.access_log, &registry).map_err(Error::AccessLog)?;
    let telemetry = proxy::Telemetry { registry: registry.clone(), access_log: access_log.clone() };
    let network = NodeNetwork::new(config.upstream_mark, data_path.sockets());
    let surroundings = Surroundings {
        snapshots: feed.snapshots.clone(),
        doors: doors(&mut data_path),
        origins: data_path.origins(),
        network: Arc::new(network),
        identities: Some(identities),
        telemetry,
    };
    let engine = Engine::start(config.proxy, surroundings)?;
    let mut applied = Applied::new(&feed, &data_path);
    let vips = config.service_vips.map(|table| {
        let progress = applied.service_vips();
        let (snapshots, gate) = (feed.snapshots.clone(), readiness.gate("service addresses"));
        let run = service_vips::run(snapshots, table, progress, gate, shutdown.clone());
        task::spawn("service-vips", run)
    });
    applied.register(&registry);
    let gate = readiness.gate("data path");
    let flows = watch_flows(&data_path, config.cgroup.as_deref(), &feed, (&registry, &shutdown))?;
    let content = Content { registry, readiness, level, flows, config: config_in_force(&feed) };
    let admin = admin::serve(&config.admin, content, drained.clone())?;
    tracing::info!(admin = %admin.address, "starting");
    let captured = data_path.run(feed.snapshots.clone(), gate, shutdown.clone()).await;
    // Capture can also end by itself; then everything else must.
    shutdown.cancel();
    let counts = engine.drain().await;
    tracing::info!(finished = counts.finished, cut = counts.cut, "drained");
    access_log.flush(FLUSH_PATIENCE);
    drained.cancel();
    for ended in [Some(feed.follower), vips, Some(admin.ended)].into_iter().flatten() {
        // A task that panicked was logged when it did.
        let _ = ended.await;
    }
    Ok(captured?)
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

/// Why an agent did not start, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The manifests cannot be read.
    #[error(transparent)]
    Sync(#[from] sync::Error),
    /// The host cannot be made ready, or stopped being so.
    #[error(transparent)]
    Kernel(#[from] kernel::Error),
    /// The engine cannot start.
    #[error(transparent)]
    Proxy(#[from] proxy::Error),
    /// The admin endpoint cannot be served.
    #[error(transparent)]
    Admin(#[from] admin::Error),
    /// The access log has no thread.
    #[error("the access log cannot start: {0}")]
    AccessLog(#[source] io::Error),
}
