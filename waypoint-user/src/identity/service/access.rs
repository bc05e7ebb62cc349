//! Who may have which certificate, by where workloads run.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::{Authenticate, Authorise};
use crate::{
    identity::{ca::Contents, token::Caller},
    mesh::{snapshot::Snapshot, spiffe::SpiffeId},
};

/// A node may have the identities of the workloads that run on it now, a workload its own.
#[derive(Clone, Debug)]
pub struct ByPlacement(watch::Receiver<Arc<Snapshot>>);

impl ByPlacement {
    /// By the newest of these Snapshots.
    pub fn new(snapshots: watch::Receiver<Arc<Snapshot>>) -> Self {
        Self(snapshots)
    }
}

impl Authorise for ByPlacement {
    fn authorise(&self, caller: &Caller, identity: &SpiffeId) -> Result<(), String> {
        match caller {
            Caller::Workload(own) if own == identity => Ok(()),
            Caller::Workload(own) => Err(format!("{own} is another workload")),
            Caller::Node(node) => {
                let snapshot = self.0.borrow();
                let mut workloads = snapshot.workloads().values();
                let runs = workloads.any(|pod| pod.node == *node && *pod.identity == *identity);
                if runs { Ok(()) } else { Err(format!("no such workload runs on node {node}")) }
            }
        }
    }
}

/// Callers by tokens that the key in the authority's directory signed.
#[derive(Clone, Debug)]
pub struct FileTokens(watch::Receiver<Arc<Contents>>);

impl FileTokens {
    /// By the newest key.
    pub fn new(contents: watch::Receiver<Arc<Contents>>) -> Self {
        Self(contents)
    }
}

impl Authenticate for FileTokens {
    fn authenticate<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Caller, String>> {
        let contents = Arc::clone(&self.0.borrow());
        Box::pin(async move { contents.tokens.check(token) })
    }
}

#[cfg(test)]
mod tests;
