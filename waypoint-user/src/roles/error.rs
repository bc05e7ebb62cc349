//! Why a role did not start, or ended by itself.

use std::io;

use crate::{
    control::authority,
    identity::{ca::directory as ca_directory, service},
    kernel,
    proxy::{self, listen},
    sync,
    telemetry::{admin, traces},
};

/// Why a role did not start, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The manifests cannot be read.
    #[error(transparent)]
    Sync(#[from] sync::Error),
    /// The host cannot be made ready, or stopped being so.
    #[error(transparent)]
    Kernel(#[from] kernel::Error),
    /// The doors cannot be opened.
    #[error(transparent)]
    Listen(#[from] listen::Error),
    /// The engine cannot start.
    #[error(transparent)]
    Proxy(#[from] proxy::Error),
    /// The admin endpoint cannot be served.
    #[error(transparent)]
    Admin(#[from] admin::Error),
    /// The access log has no thread.
    #[error("the access log cannot start: {0}")]
    AccessLog(#[source] io::Error),
    /// Spans cannot be sent where they are to be.
    #[error(transparent)]
    Tracing(#[from] traces::Error),
    /// The authority's files cannot be used.
    #[error(transparent)]
    Files(#[from] ca_directory::Error),
    /// The authority's Secret cannot be used.
    #[error(transparent)]
    Secret(#[from] authority::Error),
    /// Nobody says where the authority's keys are.
    #[error("no place for the authority's keys; name one with --ca-dir")]
    NoKeys,
    /// The authority cannot be served.
    #[error(transparent)]
    Service(#[from] service::Error),
    /// The cluster cannot be written to.
    #[error(transparent)]
    Cluster(#[from] sync::cluster::Error),
    /// The authority's task broke.
    #[error("the certificate authority broke; look at the log above")]
    Broken,
}
