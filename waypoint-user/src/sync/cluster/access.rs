//! How an API server is reached: by a kubeconfig, or from inside a pod.
//!
//! It asks the server for nothing. Tokens in files are read again by kube; everything else that
//! proves who asks is `renewal`'s.

mod renewal;

use std::path::PathBuf;

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

/// How an API server is reached.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Access {
    /// A kubeconfig file. Without one, a pod uses its service account, and everybody else
    /// `$KUBECONFIG` or `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig, where it is not the current one.
    pub context: Option<String>,
}

/// A client of the API server, which reads its files again when they change.
pub async fn connect(access: &Access) -> Result<Client, Error> {
    renewal::client(Way { access: access.clone(), retries: true }).await
}

/// The same for whoever tries again at a pace of its own.
pub(super) async fn connect_once(access: &Access) -> Result<Client, Error> {
    renewal::client(Way { access: access.clone(), retries: false }).await
}

/// How connections are made, and what becomes of those that fail.
#[derive(Debug)]
struct Way {
    access: Access,
    /// Whether what failed is tried again.
    retries: bool,
}

impl Way {
    /// A client that knows what the files say now.
    async fn client(&self) -> Result<Client, Error> {
        let mut config = config(&self.access).await?;
        config.default_retry = self.retries;
        Client::try_from(config).map_err(|cause| Error::Access(cause.to_string()))
    }
}

async fn config(access: &Access) -> Result<Config, Error> {
    let options =
        KubeConfigOptions { context: access.context.clone(), ..KubeConfigOptions::default() };
    let failed = |cause: &dyn std::fmt::Display| Error::Access(cause.to_string());
    match &access.kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path).map_err(|cause| failed(&cause))?;
            Config::from_custom_kubeconfig(file, &options).await.map_err(|cause| failed(&cause))
        }
        None if access.context.is_some() => {
            Config::from_kubeconfig(&options).await.map_err(|cause| failed(&cause))
        }
        None => Config::infer().await.map_err(|cause| failed(&cause)),
    }
}

/// Why a cluster cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody says where the API server is, or how to prove who asks.
    #[error(
        "no access to an API server: {0}; name a file with --kubeconfig, or manifests with \
         --manifests"
    )]
    Access(String),
    /// The API server cannot be read.
    #[error("the cluster cannot be read: {0}")]
    Unreadable(String),
    /// The process is to end.
    #[error("asked to stop before the cluster was read")]
    Stopped,
}
