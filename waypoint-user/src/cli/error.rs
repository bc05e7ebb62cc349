//! Why a command cannot do what it was asked.

use std::{io, path::PathBuf};

use crate::mesh::object::ObjectName;

use super::request::Denial;

/// Why a command cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The mesh cannot be read.
    #[error(transparent)]
    Sync(#[from] crate::sync::Error),
    /// The API server did not do what it was asked.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// The Gateway that was described is none.
    #[error("failed to create gateway: {0}")]
    Gateway(String),
    /// The API server has no Gateways.
    #[error(
        "missing Kubernetes Gateway CRDs need to be installed before applying a waypoint: {0}; see \
         https://gateway-api.sigs.k8s.io/guides/getting-started"
    )]
    GatewayKindMissing(Denial),
    /// There is no such namespace.
    #[error("namespace: {0} not found; name another with -n, or create it")]
    NamespaceMissing(String),
    /// Others change a namespace again and again.
    #[error("namespace {0} was changed by others each time that it was read; try again")]
    NamespaceContended(String),
    /// Arguments that do not go together.
    #[error("{0}")]
    Usage(&'static str),
    /// A verb that is none.
    #[error("unknown subcommand {0:?}")]
    UnknownSubcommand(String),
    /// What was waited for did not come.
    #[error("{0}")]
    TimedOut(String),
    /// There is nothing of that name to explain.
    #[error(transparent)]
    Unknown(#[from] crate::explain::Unknown),
    /// The agent cannot be asked.
    #[error("admin endpoint {address}: {cause}; name the agent's with --admin")]
    Admin {
        /// Where it was looked for.
        address: String,
        /// Why not.
        cause: io::Error,
    },
    /// A pod's admin endpoint cannot be asked.
    #[error("admin endpoint of Pod {pod}: {cause}; is it a pod of an agent or of a waypoint?")]
    Pod {
        /// The pod.
        pod: ObjectName,
        /// Why not.
        cause: io::Error,
    },
    /// A node has no agent.
    #[error(
        "node {node:?} has no agent in namespace {namespace}; name that with --system-namespace, \
         or another pod"
    )]
    NoAgent {
        /// The node.
        node: String,
        /// Where it was looked for.
        namespace: String,
    },
    /// The manual cannot be written.
    #[error("manual in {directory}: {cause}; name another directory")]
    Manual {
        /// Where it would be.
        directory: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// The answer cannot be written as JSON.
    #[error("writing JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The answer cannot be printed.
    #[error("printing: {0}")]
    Print(#[from] io::Error),
}

impl Error {
    /// Whether nobody reads any more what is printed, which is no fault.
    pub fn is_unheard(&self) -> bool {
        matches!(self, Self::Print(cause) if cause.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Whether it was possible to say that something is not as it should be.
    pub const fn is_answer(&self) -> bool {
        matches!(self, Self::TimedOut(_))
    }
}
