//! The arguments that say where a mesh is read from: a cluster, or manifests.
//!
//! It is read once, by the code that agents and waypoints read it with.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::{
    mesh::{report::Report, snapshot, snapshot::Snapshot},
    sync::{
        self, Served,
        cluster::{self, Scope},
        directory,
    },
};

use super::{Connection, Error};

/// Where the mesh is read from.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Source {
    /// Directory of Kubernetes manifests (*.yaml, *.yml, *.json), in the place of a cluster
    #[arg(long, value_name = "DIR", conflicts_with_all = ["kubeconfig", "context"])]
    pub(super) manifests: Option<PathBuf>,
    /// Who serves the waypoints of manifests, and so when one is ready
    #[arg(long, value_enum, default_value_t = Waypoints::Here, requires = "manifests")]
    pub(super) waypoints: Waypoints,
    /// Namespace whose policies may apply to every waypoint [default: where the controller is; of
    /// manifests, istio-system]
    #[arg(long, value_name = "NAMESPACE")]
    pub(super) root_namespace: Option<String>,
    /// Trust domain of workload identities
    #[arg(long, value_name = "DOMAIN", default_value = "cluster.local")]
    pub(super) trust_domain: String,
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// Who serves the waypoints.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(super) enum Waypoints {
    /// One process, as `waypointd standalone` does: every valid Gateway is ready
    #[default]
    Here,
    /// Processes of their own: a Gateway is ready when its status has an address
    ByStatus,
}

impl Source {
    /// Reads it.
    pub(super) async fn read(&self) -> Result<(Snapshot, Report), Error> {
        Ok(sync::read(&self.settings()).await?)
    }

    fn settings(&self) -> sync::Settings {
        let default = snapshot::Settings::default();
        let (source, waypoints, root) = if let Some(path) = &self.manifests {
            let waypoints = match self.waypoints {
                Waypoints::Here => Served::Here,
                Waypoints::ByStatus => Served::ByStatus,
            };
            let place = directory::Place::new(path);
            (sync::Source::Directory(place), waypoints, default.root_namespace.clone())
        } else {
            let place = cluster::Place::new(self.connection.access(), Scope::Whole);
            let root = self.connection.system_namespace.clone();
            (sync::Source::Cluster(place), Served::ByStatus, root)
        };
        let mesh = snapshot::Settings {
            root_namespace: self.root_namespace.clone().unwrap_or(root),
            trust_domain: self.trust_domain.clone(),
            ..default
        };
        sync::Settings { source, mesh, waypoints }
    }
}
