//! How connections are carried, and where operators look.

use std::{net::SocketAddr, thread, time::Duration};

use clap::Args;
use waypoint_user::proxy;

use super::{Endpoints, Tracing};

#[derive(Args)]
pub(crate) struct Engine {
    #[command(flatten)]
    pub(crate) endpoints: Endpoints,
    /// Data threads; 0 means one for each core.
    #[arg(long, value_name = "N", default_value_t = 0)]
    workers: usize,
    /// Do not write the access log to stdout.
    #[arg(long)]
    no_access_log: bool,
    /// How long open connections may go on after SIGTERM, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    drain_seconds: u64,
    /// How long a waypoint listens for a client's first bytes, in milliseconds, where a port's
    /// protocol is not declared; after that the server may speak first.
    #[arg(long, value_name = "MS", default_value_t = 200)]
    sniff_deadline_ms: u64,
    /// Name server for endpoints outside the cluster (ServiceEntries with resolution DNS), instead
    /// of those of /etc/resolv.conf. May be given more than once.
    #[arg(long, value_name = "ADDR:PORT")]
    dns_server: Vec<SocketAddr>,
    #[command(flatten)]
    pub(crate) tracing: Tracing,
}

impl Engine {
    /// What the engine is told.
    pub(crate) fn settings(&self) -> proxy::Settings {
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        proxy::Settings {
            workers: if self.workers == 0 { cores() } else { self.workers },
            sniff_deadline: Duration::from_millis(self.sniff_deadline_ms),
            drain_deadline: Duration::from_secs(self.drain_seconds),
            name_servers: self.dns_server.clone(),
            ..proxy::Settings::default()
        }
    }

    /// Whether requests and connections are logged on stdout.
    pub(crate) fn access_log(&self) -> bool {
        !self.no_access_log
    }
}
