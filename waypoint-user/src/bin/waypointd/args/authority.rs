//! Where certificates come from.

use std::path::PathBuf;

use clap::Args;
use waypoint_user::identity::{self, client};

/// The certificate authority: ours, or any other that serves Istio's certificate service.
#[derive(Args)]
pub(crate) struct Authority {
    /// The certificate authority.
    #[arg(long, value_name = "HOST:PORT")]
    ca_address: String,
    /// File of the roots that the authority's own certificate chains to; changes are followed.
    #[arg(long, value_name = "FILE")]
    ca_root: PathBuf,
    /// File of the token that says who asks; see `waypointd token`.
    #[arg(long, value_name = "FILE")]
    ca_token: PathBuf,
    /// The name in the authority's certificate, if it is not the host of its address.
    #[arg(long, value_name = "NAME")]
    ca_name: Option<String>,
    /// File of certificate revocation lists; changes are followed, and connections of peers that
    /// are revoked are cut.
    #[arg(long, value_name = "FILE")]
    crl: Option<PathBuf>,
}

impl Authority {
    /// A client of the authority.
    pub(crate) fn client(&self) -> Result<client::Client, client::Error> {
        let (root, token) = (self.ca_root.clone(), self.ca_token.clone());
        let settings = client::Settings::new(self.ca_address.clone(), root, token);
        client::Client::new(client::Settings { name: self.ca_name.clone(), ..settings })
    }

    /// How certificates are kept.
    pub(crate) fn identity(&self) -> identity::Settings {
        identity::Settings { crl: self.crl.clone(), ..identity::Settings::default() }
    }
}
