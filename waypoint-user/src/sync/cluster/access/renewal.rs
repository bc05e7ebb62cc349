//! Credentials that change while a process runs: certificates are exchanged, and kubeconfigs are
//! written again.
//!
//! It looks at the files before every request, and never at what is in them; connections that are
//! open go on. A kubeconfig that nobody named, such as `~/.kube/config`, is a person's, and is read
//! once.
//!
//! **Invariant:** files that make no sense leave what was read before in force, until they change
//! once more.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use kube::{Client, client::Body, config::Kubeconfig};
use tokio::sync::{Mutex, watch};
use tower::service_fn;

use super::{Access, Error, Way};

/// A client that is made again whenever its files have changed.
pub(super) async fn client(way: Way) -> Result<Client, Error> {
    let current = Arc::new(Renewed::new(way).await?);
    let namespace = current.client().await.default_namespace().to_owned();
    let service = service_fn(move |request: http::Request<Body>| {
        let current = Arc::clone(&current);
        async move { current.client().await.send(request).await }
    });
    Ok(Client::new(service, namespace))
}

/// Credentials, and where they come from.
#[derive(Debug)]
struct Renewed {
    way: Way,
    credentials: watch::Sender<Credentials>,
    /// Held by whoever reads the files again.
    reading: Mutex<()>,
}

impl Renewed {
    /// The credentials that the files have now.
    async fn new(way: Way) -> Result<Self, Error> {
        // Looked at first: what changes while they are read has changed since.
        let files = files(&way.access);
        let client = way.client().await?;
        let credentials = watch::Sender::new(Credentials { client, files });
        Ok(Self { way, credentials, reading: Mutex::new(()) })
    }

    /// A client with the credentials that the files have now. While they are being read for
    /// somebody, it is the one of before for everybody else.
    async fn client(&self) -> Client {
        let are_current = self.credentials.borrow().are_current();
        if !are_current && let Ok(_reading) = self.reading.try_lock() {
            self.read_again().await;
        }
        self.credentials.borrow().client.clone()
    }

    async fn read_again(&self) {
        // First, as above: also what could not be read may have changed since.
        let files = files(&self.way.access);
        match self.way.client().await {
            Ok(client) => {
                tracing::info!("credentials for the API server were read again");
                self.credentials.send_replace(Credentials { client, files });
            }
            Err(cause) => {
                tracing::warn!(%cause, "new credentials are left alone; the old ones stay");
                self.credentials.send_modify(|credentials| credentials.files = files);
            }
        }
    }
}

/// What was made of the files.
struct Credentials {
    client: Client,
    files: Vec<(PathBuf, Option<Stamp>)>,
}

impl Credentials {
    /// Whether the files are those that were read.
    fn are_current(&self) -> bool {
        self.files.iter().all(|(path, known)| stamp(path) == *known)
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("files", &self.files).finish_non_exhaustive()
    }
}

/// What differs when a file was written again or another stands in its place.
type Stamp = (SystemTime, u64, u64);

fn stamp(path: &Path) -> Option<Stamp> {
    let found = fs::metadata(path).ok()?;
    Some((found.modified().ok()?, found.len(), found.ino()))
}

/// Every file that a client may be made of, as it is now.
fn files(access: &Access) -> Vec<(PathBuf, Option<Stamp>)> {
    let trusted_by_pods = || PathBuf::from(TRUSTED_BY_PODS);
    let files = vec![access.kubeconfig.clone().unwrap_or_else(trusted_by_pods)];
    let named: Vec<PathBuf> = files.iter().flat_map(|path| named_by(path)).collect();
    let all = files.into_iter().chain(named);
    all.map(|path| (path.clone(), stamp(&path))).collect()
}

/// The files that a kubeconfig names, but for tokens.
fn named_by(path: &Path) -> Vec<PathBuf> {
    let Ok(config) = Kubeconfig::read_from(path) else { return Vec::new() };
    let users = config.auth_infos.into_iter().filter_map(|named| named.auth_info);
    let of_users = users.flat_map(|user| [user.client_certificate, user.client_key]);
    let clusters = config.clusters.into_iter().filter_map(|named| named.cluster);
    let roots = clusters.map(|cluster| cluster.certificate_authority);
    of_users.chain(roots).flatten().map(PathBuf::from).collect()
}

/// The root certificates of API servers, as a kubelet puts them into pods.
const TRUSTED_BY_PODS: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";

#[cfg(test)]
mod tests;
