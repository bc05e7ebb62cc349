//! What holds for the whole mesh.

use clap::Args;
use waypoint_user::mesh::snapshot;

#[derive(Args)]
pub(crate) struct Mesh {
    /// Trust domain of workload identities.
    #[arg(long, value_name = "DOMAIN", default_value = "cluster.local")]
    trust_domain: String,
    /// Domain of the cluster's host names.
    #[arg(long, value_name = "DOMAIN", default_value = "cluster.local")]
    cluster_domain: String,
    /// Namespace whose policies may apply to every waypoint.
    #[arg(long, value_name = "NAMESPACE", default_value = "istio-system")]
    root_namespace: String,
}

impl Mesh {
    /// What the arguments say.
    pub(crate) fn settings(self) -> snapshot::Settings {
        snapshot::Settings {
            trust_domain: self.trust_domain,
            cluster_domain: self.cluster_domain,
            root_namespace: self.root_namespace,
            ..snapshot::Settings::default()
        }
    }
}
