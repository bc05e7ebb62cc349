//! Where a process can be looked at.

use clap::Args;
use waypoint_user::telemetry::admin::{Addresses, AdminAddress};

#[derive(Args)]
pub(crate) struct Endpoints {
    /// Admin address: ADDR:PORT, or unix:PATH.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:15000")]
    admin: AdminAddress,
    /// Serve /metrics, and nothing else, at another ADDR:PORT; [::]:PORT is every address.
    #[arg(long, value_name = "ADDRESS")]
    metrics_listen: Option<AdminAddress>,
    /// Serve /healthz/ready and /healthz/live, and nothing else, at another ADDR:PORT, or at
    /// unix:PATH. At an agent's PATH they are from its start to its end, whoever holds the data
    /// path, so no other agent may have it.
    #[arg(long, value_name = "ADDRESS")]
    status_listen: Option<AdminAddress>,
}

impl Endpoints {
    /// What the arguments say.
    pub(crate) fn addresses(self) -> Addresses {
        let Self { admin, metrics_listen: metrics, status_listen: status } = self;
        Addresses { admin, metrics, status }
    }
}
