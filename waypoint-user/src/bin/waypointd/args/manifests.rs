//! Where the mesh comes from, and what it is called.

use std::path::PathBuf;

use clap::Args;
use waypoint_user::{mesh::snapshot, sync};

#[derive(Args)]
pub(crate) struct Manifests {
    /// Directory of Kubernetes manifests; changes are followed.
    #[arg(long = "manifests", value_name = "DIR")]
    directory: PathBuf,
    /// Trust domain of workload identities.
    #[arg(long, value_name = "DOMAIN", default_value = "cluster.local")]
    trust_domain: String,
    /// Namespace whose policies may apply to every waypoint.
    #[arg(long, value_name = "NAMESPACE", default_value = "istio-system")]
    root_namespace: String,
}

impl Manifests {
    /// The source of a mesh that these arguments describe.
    pub(crate) fn settings(self) -> sync::Settings {
        let mesh = snapshot::Settings {
            trust_domain: self.trust_domain,
            root_namespace: self.root_namespace,
            ..snapshot::Settings::default()
        };
        sync::Settings { mesh, ..sync::Settings::new(self.directory) }
    }
}
