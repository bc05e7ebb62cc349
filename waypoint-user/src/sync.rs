//! Kubernetes objects in, (Snapshot, Report) out: read, translate, publish.
//!
//! A source hands over [`objects::Objects`], the last good version of each; translation knows
//! nothing of where they came from. It writes nothing back.
//!
//! **Invariant:** an object that cannot be understood changes no other object, and its own last
//! good version stays in force.
//! **Invariant:** a security policy that cannot be understood and has no good version denies.
//! **Invariant:** translation is pure: the same objects give the same Snapshot and Report.

mod admit;
pub mod authorization;
pub mod cluster;
pub mod directory;
mod document;
mod feed;
mod files;
mod finding;
pub(crate) mod gateway_routes;
mod journal;
mod last_good;
pub mod objects;
mod outlet;
pub mod peer_authentication;
pub mod service_entry;
pub mod span;
pub mod traffic_policy;
mod translate;
pub mod workload_entry;

use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

use crate::mesh::{report::Report, snapshot};

pub use feed::{Feed, State};
pub use files::objects_in;
pub use translate::translate;

/// Where the mesh is read from, and what holds for all of it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where objects come from.
    pub source: Source,
    /// What holds for the whole mesh.
    pub mesh: snapshot::Settings,
    /// Who serves the waypoints.
    pub waypoints: Served,
}

/// Where objects come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// Manifests in a directory.
    Directory(directory::Place),
    /// The API server of a cluster.
    Cluster(cluster::Place),
}

impl Settings {
    /// Reads this directory, with everything else at its default.
    pub fn new(manifests: impl Into<PathBuf>) -> Self {
        Self {
            source: Source::Directory(directory::Place::new(manifests)),
            mesh: snapshot::Settings::default(),
            waypoints: Served::Here,
        }
    }
}

/// Reads the source once.
pub async fn read(settings: &Settings) -> Result<(snapshot::Snapshot, Report), Error> {
    match &settings.source {
        Source::Directory(place) => directory::read(place, settings),
        Source::Cluster(place) => Ok(cluster::read(place, settings).await?),
    }
}

/// Reads the source and follows it until shutdown; needs a tokio runtime. The first Snapshot is of
/// everything that was there when it was asked for.
pub async fn watch(settings: Settings, shutdown: CancellationToken) -> Result<Feed, Error> {
    match settings.source.clone() {
        Source::Directory(place) => directory::watch(&place, settings, shutdown),
        Source::Cluster(place) => Ok(cluster::watch(place, settings, shutdown).await?),
    }
}

/// Who serves the waypoints, and so when one is ready.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Served {
    /// Whatever process reads the objects: every valid Gateway of a waypoint class is ready.
    #[default]
    Here,
    /// Processes of their own: a Gateway is ready when it has `status.addresses`, or is served by
    /// the agents of its clients' nodes.
    ByStatus,
}

/// Why a source cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory is not there or cannot be listed.
    #[error("manifest directory {path}: {cause}; make it, or name another with --manifests")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// The cluster cannot be asked.
    #[error(transparent)]
    Cluster(#[from] cluster::Error),
    /// The kernel does not tell us of changes.
    #[error(
        "following changes of {path} by inotify: {cause}; look at fs.inotify.max_user_instances"
    )]
    Follow {
        /// The directory.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
}
