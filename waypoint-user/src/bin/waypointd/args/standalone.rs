//! The arguments of `waypointd standalone`.

use std::{path::PathBuf, thread, time::Duration};

use clap::Args;
use waypoint_common::redirect::UPSTREAM_MARK;
use waypoint_user::{
    kernel,
    mesh::snapshot,
    proxy,
    roles::{host, standalone},
    sync,
    telemetry::admin::AdminAddress,
};

use super::{Log, Node, UPGRADE};

#[derive(Args)]
#[command(after_help = UPGRADE)]
pub(crate) struct Standalone {
    /// Directory of Kubernetes manifests; changes are followed.
    #[arg(long, value_name = "DIR")]
    manifests: PathBuf,
    #[command(flatten)]
    node: Node,
    /// Forward Service addresses that no waypoint handles to ready endpoints, by one nftables
    /// table; leave it out where kube-proxy runs.
    #[arg(long)]
    service_vips: bool,
    /// Admin address: ADDR:PORT, or unix:PATH.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:15000")]
    admin: AdminAddress,
    /// Data threads; 0 means one for each core.
    #[arg(long, value_name = "N", default_value_t = 0)]
    workers: usize,
    #[command(flatten)]
    pub(crate) log: Log,
    /// cgroup (version 2) of the pods: tells of all their TCP connections, captured or not, in
    /// metrics and by `waypointctl observe`.
    #[arg(long, value_name = "DIR")]
    cgroup: Option<PathBuf>,
    /// Do not write the access log to stdout.
    #[arg(long)]
    no_access_log: bool,
    /// How long open connections may go on after SIGTERM, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    drain_seconds: u64,
    /// How long to listen for a client's first bytes, in milliseconds, where a port's protocol is
    /// not declared; after that the server may speak first.
    #[arg(long, value_name = "MS", default_value_t = 200)]
    sniff_deadline_ms: u64,
    /// Trust domain of workload identities.
    #[arg(long, value_name = "DOMAIN", default_value = "cluster.local")]
    trust_domain: String,
    /// Namespace whose policies may apply to every waypoint.
    #[arg(long, value_name = "NAMESPACE", default_value = "istio-system")]
    root_namespace: String,
}

impl Standalone {
    /// The configuration of the role.
    pub(crate) fn into_config(self) -> standalone::Config {
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        let workers = if self.workers == 0 { cores() } else { self.workers };
        let mesh = snapshot::Settings {
            trust_domain: self.trust_domain,
            root_namespace: self.root_namespace,
            ..snapshot::Settings::default()
        };
        let host = host::Settings {
            kernel: kernel::Settings { workers, ..self.node.settings() },
            proxy: proxy::Settings {
                workers,
                sniff_deadline: Duration::from_millis(self.sniff_deadline_ms),
                drain_deadline: Duration::from_secs(self.drain_seconds),
                ..proxy::Settings::default()
            },
            admin: self.admin,
            service_vips: self.service_vips.then(|| self.node.table().to_owned()),
            cgroup: self.cgroup,
            access_log: !self.no_access_log,
        };
        let sync = sync::Settings { mesh, ..sync::Settings::new(self.manifests) };
        standalone::Config { sync, host, upstream_mark: UPSTREAM_MARK }
    }
}
