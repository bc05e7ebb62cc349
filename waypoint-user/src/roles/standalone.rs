//! Everything in one process on one Linux host: manifests in, captured connections out.
//!
//! It decides nothing.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::{
    proxy::{Network, OwnNetwork},
    sync,
    telemetry::logging::LogLevel,
};

use super::{
    Error,
    host::{self, Process, Role},
};

/// What a standalone process needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the mesh comes from.
    pub sync: sync::Settings,
    /// How the host's data path is held.
    pub host: host::Settings,
    /// The socket mark of connections to endpoints.
    pub upstream_mark: u32,
}

/// Runs until shutdown is asked for and everything has ended.
pub async fn run(
    config: Config,
    level: LogLevel,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let mut config = config;
    let process = Process::new(level, shutdown, &mut config.host.admin)?;
    let feed = sync::watch(config.sync, process.shutdown.clone()).await?;
    let mark = config.upstream_mark;
    let network = move |_| Arc::new(OwnNetwork { mark }) as Arc<dyn Network>;
    host::run(config.host, Role { feed, identities: None, network }, process).await
}
