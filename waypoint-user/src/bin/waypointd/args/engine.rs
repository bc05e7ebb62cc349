//! How connections are carried, and where operators look.

use std::{net::SocketAddr, thread, time::Duration};

use clap::{Args, builder::RangedI64ValueParser};
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
    /// Connections from clients that each data thread keeps at a time; more are reset.
    #[arg(long, value_name = "N", default_value_t = MOST, value_parser = at_least_one())]
    max_connections: u32,
    /// Requests that each data thread has under way at a time; more are answered with 503 and
    /// x-waypoint-overloaded.
    #[arg(long, value_name = "N", default_value_t = MOST, value_parser = at_least_one())]
    max_requests: u32,
    /// Memory of the process, in bytes or with Ki, Mi or Gi behind the number; while it has more,
    /// new requests are answered with 503 and x-waypoint-overloaded. Nine tenths of what its
    /// control group may have where nothing is said.
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    max_memory: Option<u64>,
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
            connections_max: number(self.max_connections),
            requests_max: number(self.max_requests),
            memory_max: self.max_memory,
            name_servers: self.dns_server.clone(),
            ..proxy::Settings::default()
        }
    }

    /// Whether requests and connections are logged on stdout.
    pub(crate) fn access_log(&self) -> bool {
        !self.no_access_log
    }
}

/// A number of bytes, perhaps in units.
fn parse_bytes(text: &str) -> Result<u64, String> {
    let units = [("Ki", 10), ("Mi", 20), ("Gi", 30)];
    let unit = units.iter().find_map(|(unit, bits)| Some((text.strip_suffix(unit)?, *bits)));
    let (number, bits) = unit.unwrap_or((text, 0));
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(1_u64 << bits));
    let bytes = bytes.filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| format!("{text:?} is no number of bytes; write one like 512Mi"))
}

/// A number that lets something through.
fn at_least_one() -> RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..)
}

fn number(most: u32) -> usize {
    usize::try_from(most).unwrap_or(usize::MAX)
}

/// As the engine has it where nothing is said.
const MOST: u32 = 16 * 1024;

#[cfg(test)]
mod tests;
