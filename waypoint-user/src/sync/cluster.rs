//! The API server of a cluster as the source: read once, or read and watched.
//!
//! It hands objects to the same admission and translation that manifests go through.

mod access;

use tokio_util::sync::CancellationToken;

use crate::mesh::{object::ObjectName, report::Report, snapshot::Snapshot};

use super::{Feed, Settings};

pub use self::access::{Access, Error, connect};

/// A cluster, and how much of it is read.
#[derive(Clone, Debug)]
pub struct Place {
    /// How its API server is reached.
    pub access: Access,
    /// What of it is read.
    pub scope: Scope,
}

/// What of a cluster is read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Scope {
    /// Everything.
    #[default]
    Whole,
    /// What the agent of this node needs.
    Node(String),
    /// What the pods of this waypoint need.
    Waypoint(ObjectName),
}

/// Reads the cluster once.
pub(super) async fn read(place: &Place, _: &Settings) -> Result<(Snapshot, Report), Error> {
    connect(&place.access).await?;
    Err(Error::Unread)
}

/// Reads the cluster and follows it until shutdown.
pub(super) async fn watch(place: Place, _: Settings, _: CancellationToken) -> Result<Feed, Error> {
    connect(&place.access).await?;
    Err(Error::Unread)
}
