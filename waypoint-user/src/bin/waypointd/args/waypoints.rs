//! What a controller makes waypoints of, in a cluster.

use clap::Args;
use waypoint_user::{control::run, mesh::snapshot};

use super::Tracing;

#[derive(Args)]
#[command(next_help_heading = "In a cluster")]
pub(crate) struct Waypoints {
    /// Namespace that the controller is installed in, where its leaders' Leases are.
    #[arg(
        long,
        value_name = "NAMESPACE",
        env = "POD_NAMESPACE",
        default_value = "waypoint-system",
        hide_env_values = true
    )]
    namespace: String,
    /// Name of this replica among the others, by which it holds the Lease; by default one of its
    /// own.
    #[arg(long, value_name = "NAME", env = "POD_NAME", hide_env_values = true)]
    identity: Option<String>,
    /// Service account of the agents in --namespace: what runs under it may ask for certificates of
    /// the pods of its node.
    #[arg(long, value_name = "NAME", default_value = "waypoint-agent")]
    agent_account: String,
    /// Image of the pods of waypoints.
    #[arg(long, value_name = "IMAGE", default_value = IMAGE)]
    waypoint_image: String,
    /// Where the pods of waypoints ask for certificates; by default the Service
    /// waypoint-controller of --namespace, port 15012.
    #[arg(long, value_name = "HOST:PORT")]
    ca_address: Option<String>,
    /// Revision of the Gateways that are served: those whose label istio.io/rev, or whose
    /// namespace's, is this. Objects without it are of revision `default`. Controllers of several
    /// revisions may share a namespace: each has a Lease waypoint-controller-REVISION, and one of
    /// all of them leads in what they have in common.
    #[arg(long, value_name = "REVISION", default_value = run::DEFAULT_REVISION)]
    revision: String,
    #[command(flatten)]
    tracing: Tracing,
}

impl Waypoints {
    /// What the arguments say.
    pub(crate) fn settings(self, mesh: snapshot::Settings) -> run::Settings {
        let ca_address = self
            .ca_address
            .unwrap_or_else(|| format!("waypoint-controller.{}.svc:15012", self.namespace));
        run::Settings {
            ca_address,
            identity: self.identity.unwrap_or_else(|| format!("process-{}", std::process::id())),
            agent_account: self.agent_account,
            namespace: self.namespace,
            waypoint_image: self.waypoint_image,
            revision: self.revision,
            tracing: self.tracing.settings(),
            mesh,
        }
    }
}

/// The image of this version.
const IMAGE: &str = concat!("waypoint.dev/waypoint:", env!("CARGO_PKG_VERSION"));
