//! Where the mesh comes from: manifests or a cluster.

use std::path::PathBuf;

use clap::Args;
use waypoint_user::sync::{
    self, Served,
    cluster::{self, Access, Scope},
    directory,
};

use super::Mesh;

#[derive(Args)]
pub(crate) struct Source {
    /// Directory of Kubernetes manifests, in the place of a cluster; changes are followed.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["kubeconfig", "context"])]
    manifests: Option<PathBuf>,
    /// File that says how the cluster's API server is reached; without one a pod asks as its
    /// service account, and everybody else by $KUBECONFIG or ~/.kube/config.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig, if not the current one.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    #[command(flatten)]
    mesh: Mesh,
}

impl Source {
    /// How a cluster is reached, if that is where the mesh comes from.
    pub(crate) fn access(&self) -> Option<Access> {
        let (kubeconfig, context) = (self.kubeconfig.clone(), self.context.clone());
        self.manifests.is_none().then_some(Access { kubeconfig, context })
    }

    /// The source of a mesh that these arguments describe; of a cluster, so much of it.
    pub(crate) fn settings(self, scope: Scope) -> sync::Settings {
        let source = match (self.access(), self.manifests) {
            (None, Some(path)) => sync::Source::Directory(directory::Place::new(path)),
            (access, _) => {
                let access = access.unwrap_or_default();
                sync::Source::Cluster(cluster::Place::new(access, scope))
            }
        };
        sync::Settings { source, mesh: self.mesh.settings(), waypoints: Served::ByStatus }
    }
}
