//! The arguments of `waypointd controller`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, builder::RangedU64ValueParser};
use waypoint_user::{control::run, roles::controller, sync::cluster::Scope};

use super::{Endpoints, Log, Source, Waypoints};

#[derive(Args)]
#[command(after_long_help = ROTATION)]
pub(crate) struct Controller {
    #[command(flatten)]
    source: Source,
    /// Directory of the authority's keys and certificates; what is not there is made, changes are
    /// followed. Agents and waypoints need its root-cert.pem. Without it, in a cluster, the Secret
    /// waypoint-ca of --namespace has the same in keys of the same names.
    #[arg(long, value_name = "DIR")]
    ca_dir: Option<PathBuf>,
    /// Where the certificate authority listens.
    #[arg(long, value_name = "ADDR:PORT", default_value = "0.0.0.0:15012")]
    ca_listen: SocketAddr,
    /// Another host name or address by which agents and waypoints reach it; may be given often.
    #[arg(long, value_name = "NAME")]
    ca_name: Vec<String>,
    /// The longest life of a workload's certificate, in hours; also that of those who ask for none.
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = hours())]
    certificate_hours: u64,
    /// The same in seconds, to watch renewals happen.
    #[arg(long, value_name = "SECONDS", hide = true, value_parser = seconds(),
        conflicts_with = "certificate_hours")]
    certificate_seconds: Option<u64>,
    #[command(flatten)]
    endpoints: Endpoints,
    #[command(flatten)]
    waypoints: Waypoints,
    #[command(flatten)]
    pub(crate) log: Log,
}

impl Controller {
    /// The configuration of the role.
    pub(crate) fn into_config(self) -> controller::Config {
        let lifetime = self.certificate_seconds.unwrap_or(self.certificate_hours * 3600);
        let access = self.source.access();
        let sync = self.source.settings(Scope::Whole);
        let settings = self.waypoints.settings(sync.mesh.clone());
        controller::Config {
            cluster: access.map(|access| run::Place { access, settings }),
            sync,
            ca_dir: self.ca_dir,
            ca_listen: self.ca_listen,
            ca_names: self.ca_name,
            lifetime_max: Duration::from_secs(lifetime),
            admin: self.endpoints.addresses(),
        }
    }
}

/// Certificates live an hour at least, and a year at most.
fn hours() -> RangedU64ValueParser {
    RangedU64ValueParser::new().range(1..=8760)
}

/// Below that, certificates end while they are on their way.
fn seconds() -> RangedU64ValueParser {
    RangedU64ValueParser::new().range(2..=3600)
}

/// What operators do by hand.
const ROTATION: &str = "\
Exchanging the root, without a failed connection:
  1. Put the new root beside the old one, into additional-roots.pem or root-cert.pem itself.
  2. When every certificate was renewed since (--certificate-hours), replace ca-cert.pem and
     ca-key.pem by an intermediate that the new root signed. Give agents and waypoints a --ca-root
     file that has the new root before.
  3. When every certificate was renewed again, take the old root away.
The files are read again when they change; what does not fit together is not taken, and the log
says why.";
