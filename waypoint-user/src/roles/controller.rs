//! The control plane of a mesh: its certificate authority, and what is written to its cluster.
//!
//! It decides nothing; who may have which certificate is `identity`'s.
//!
//! **Invariant:** the process says that it is ready only while it answers requests.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{
    control,
    identity::{
        ca::directory as ca_directory,
        service::{self, Authorise, access::ByPlacement},
    },
    sync,
    telemetry::{
        admin::{self, Addresses, Content},
        flows,
        logging::LogLevel,
        metrics::Registry,
        readiness::Readiness,
    },
};

use super::{Error, explanations::explanations, parts::config_in_force};

mod keys;

/// What a controller needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the mesh comes from.
    pub sync: sync::Settings,
    /// The directory of the authority's keys and certificates; without one they are in a Secret of
    /// the cluster.
    pub ca_dir: Option<PathBuf>,
    /// Where the authority listens.
    pub ca_listen: SocketAddr,
    /// Names of the authority, besides those that Istio's has.
    pub ca_names: Vec<String>,
    /// The longest life of a certificate.
    pub lifetime_max: Duration,
    /// Where operators look.
    pub admin: Addresses,
    /// What is written to the cluster, if the mesh comes from one.
    pub cluster: Option<control::run::Place>,
}

/// Runs until shutdown is asked for and everything has ended.
pub async fn run(
    config: Config,
    level: LogLevel,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let (registry, readiness) = (Registry::new(), Readiness::new());
    let trust_domain = config.sync.mesh.trust_domain.clone();
    let feed = sync::watch(config.sync.clone(), shutdown.clone()).await?;
    feed.export(&registry);
    let keys = keys::open(&config, &trust_domain, shutdown.clone()).await?;
    let authorise: Arc<dyn Authorise> = Arc::new(ByPlacement::new(feed.snapshots.clone()));
    let settings = service::Settings {
        listen: config.ca_listen,
        names: keys::names(&config),
        lifetime_max: config.lifetime_max,
    };
    let contents = keys.following.contents;
    ca_directory::register(contents.clone(), &registry);
    let access = (keys.authenticate, authorise);
    let authority =
        service::serve(settings, contents.clone(), access, &registry, shutdown.clone()).await?;
    let gate = readiness.gate("certificate authority");
    gate.open();
    let sources = control::run::Sources::of(&feed, contents);
    let writing = control::run::start(config.cluster, sources, &registry, shutdown.clone()).await?;
    // The admin endpoint outlives the drain, so that it can be watched.
    let drained = CancellationToken::new();
    let content = Content {
        registry,
        readiness,
        level,
        applied: None,
        flows: Err(flows::NOT_HERE.to_owned()),
        config: config_in_force(&feed),
        questions: vec![explanations(&feed, None)],
    };
    let admin = admin::serve(&config.admin, content, drained.clone())?;
    let (address, admin_address) = (authority.address, &admin.address);
    tracing::info!(%address, keys = %keys.place, trust_domain, admin = %admin_address, "serving");
    let ended = authority.ended.await;
    drop(gate);
    shutdown.cancel();
    // The Lease is given back before the end.
    if let Some(writing) = writing {
        let _ = writing.await;
    }
    drained.cancel();
    for ended in [feed.follower, keys.following.follower, admin.ended] {
        // A task that panicked was logged when it did.
        let _ = ended.await;
    }
    tracing::info!("ended");
    ended.map_err(|_| Error::Broken)
}
