//! The arguments that say which cluster is meant, and which namespace of it.
//!
//! They are `kubectl`'s and `istioctl`'s.

use std::path::PathBuf;

use clap::Args;
use kube::Client;

use crate::sync::cluster::{Access, connect};

use super::Error;

/// Which cluster, and which namespace.
#[derive(Args, Clone, Debug)]
pub struct Connection {
    /// File that says how the API server is reached; else $KUBECONFIG or ~/.kube/config
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig, if not the current one
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Namespace, if not the one of the context
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Namespace that the controller and the agents run in
    #[arg(
        short = 'i',
        long,
        alias = "istioNamespace",
        value_name = "NAMESPACE",
        default_value = SYSTEM_NAMESPACE,
        hide = true
    )]
    pub system_namespace: String,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            kubeconfig: None,
            context: None,
            namespace: None,
            system_namespace: SYSTEM_NAMESPACE.to_owned(),
        }
    }
}

impl Connection {
    /// How the cluster is reached.
    pub fn access(&self) -> Access {
        Access { kubeconfig: self.kubeconfig.clone(), context: self.context.clone() }
    }

    /// A client of the cluster.
    pub(super) async fn client(&self) -> Result<Client, Error> {
        let client = connect(&self.access()).await;
        client.map_err(|cause| Error::Sync(cause.into()))
    }

    /// The namespace that is meant: the one that is named, else the context's.
    pub(super) fn namespace(&self, client: &Client) -> String {
        let named = self.namespace.clone().filter(|name| !name.is_empty());
        named.unwrap_or_else(|| client.default_namespace().to_owned())
    }
}

/// Where everything is installed, unless somebody chose another namespace.
pub(super) const SYSTEM_NAMESPACE: &str = "waypoint-system";
