//! A node's agent: what its pods open is carried to waypoints and to other nodes, and what arrives
//! for them by HBONE is delivered.
//!
//! It decides nothing.
//!
//! **Invariant:** the process says that it is ready only after its pods' first certificates are
//! there.

mod network;
mod wanted;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::{
    identity::{self, Identities, Issuer},
    kernel::DataPath,
    proxy::Network,
    sync,
    telemetry::{logging::LogLevel, task},
};

use self::network::NodeNetwork;
use super::{
    Error,
    host::{self, Process, Role},
};

/// What an agent needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the mesh comes from.
    pub sync: sync::Settings,
    /// How the node's data path is held.
    pub host: host::Settings,
    /// The node's name.
    pub node: String,
    /// The socket mark of connections that the node opens in its own name.
    pub upstream_mark: u32,
    /// How certificates are kept.
    pub identity: identity::Settings,
}

/// Runs until shutdown is asked for and everything has ended. `issuer` signs the pods'
/// certificates.
pub async fn run(
    config: Config,
    issuer: impl Issuer,
    level: LogLevel,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let mut config = config;
    let process = Process::new(level, shutdown, &mut config.host.admin)?;
    let drained = process.drained.clone();
    let feed = sync::watch(config.sync, process.shutdown.clone()).await?;
    let identities = Identities::start(config.identity, issuer, &process.registry, drained.clone());
    let gate = process.readiness.gate("certificates");
    let (node, snapshots) = (config.node, feed.snapshots.clone());
    let follow = wanted::follow(node.clone(), identities.clone(), snapshots, gate, drained);
    task::spawn("wanted identities", follow);
    if DataPath::is_held(&config.host.kernel) {
        // The process that is there serves well meanwhile.
        let held = wanted::wait(&node, &identities, &feed.snapshots);
        process.shutdown.run_until_cancelled(held).await;
    }
    let mark = config.upstream_mark;
    let network = move |sockets| Arc::new(NodeNetwork::new(mark, sockets)) as Arc<dyn Network>;
    host::run(config.host, Role { feed, identities: Some(identities), network }, process).await
}
