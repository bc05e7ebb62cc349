//! The arguments of `waypointd agent`.

use std::{path::PathBuf, thread, time::Duration};

use clap::{Args, ValueEnum};
use waypoint_common::redirect::UPSTREAM_MARK;
use waypoint_user::{
    kernel,
    mesh::snapshot::{self, CaptureMode},
    proxy::{self, Duty, LocalHop},
    roles::{agent, host},
    sync::{self, Served},
    telemetry::admin::AdminAddress,
};

use super::{Authority, Log, Node, UPGRADE};

#[derive(Args)]
#[command(after_help = UPGRADE)]
pub(crate) struct Agent {
    /// Directory of Kubernetes manifests; changes are followed.
    #[arg(long, value_name = "DIR")]
    manifests: PathBuf,
    /// This node's name, as its pods' `spec.nodeName` has it.
    #[arg(long, value_name = "NAME")]
    node: String,
    #[command(flatten)]
    pub(crate) authority: Authority,
    /// Which connections of enrolled pods are captured.
    #[arg(long, value_enum, default_value_t = Capture::Waypoint)]
    capture: Capture,
    #[command(flatten)]
    host: Node,
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
    /// cgroup (version 2) of the kubelet, whose probes pods always take; without one, every process
    /// of the node's own network may connect to its pods. May be given more than once.
    #[arg(long, value_name = "DIR")]
    kubelet_cgroup: Vec<PathBuf>,
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
    /// How long to listen for a client's first bytes, in milliseconds, where a waypoint runs in
    /// this process and a port's protocol is not declared; after that the server may speak first.
    #[arg(long, value_name = "MS", default_value_t = 200)]
    sniff_deadline_ms: u64,
    /// Trust domain of workload identities.
    #[arg(long, value_name = "DOMAIN", default_value = "cluster.local")]
    trust_domain: String,
    /// Namespace whose policies may apply to every waypoint.
    #[arg(long, value_name = "NAMESPACE", default_value = "istio-system")]
    root_namespace: String,
    /// How a waypoint of this node is reached; there to be measured.
    #[arg(long, value_enum, default_value_t = Hop::Unix, hide = true)]
    local_hop: Hop,
}

/// Which connections of enrolled pods are captured.
#[derive(Clone, Copy, ValueEnum)]
enum Capture {
    /// Those that have a waypoint.
    Waypoint,
    /// Those, and whatever goes to other enrolled pods.
    Mesh,
}

/// How a waypoint of the same node is reached.
#[derive(Clone, Copy, ValueEnum)]
enum Hop {
    /// By a socket in its network namespace.
    Unix,
    /// By HBONE.
    Hbone,
}

impl Agent {
    /// The configuration of the role.
    pub(crate) fn into_config(self) -> agent::Config {
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        let workers = if self.workers == 0 { cores() } else { self.workers };
        let mesh = snapshot::Settings {
            trust_domain: self.trust_domain,
            root_namespace: self.root_namespace,
            capture: match self.capture {
                Capture::Waypoint => CaptureMode::Waypoint,
                Capture::Mesh => CaptureMode::Mesh,
            },
            ..snapshot::Settings::default()
        };
        let local_hop = match self.local_hop {
            Hop::Unix => LocalHop::Unix,
            Hop::Hbone => LocalHop::Hbone,
        };
        let sync = sync::Settings::new(self.manifests);
        let host = host::Settings {
            kernel: kernel::Settings {
                workers,
                node: Some(self.node.clone()),
                inbound: true,
                exempt_cgroups: self.kubelet_cgroup,
                ..self.host.settings()
            },
            proxy: proxy::Settings {
                workers,
                sniff_deadline: Duration::from_millis(self.sniff_deadline_ms),
                drain_deadline: Duration::from_secs(self.drain_seconds),
                duty: Duty::Node(proxy::Node { name: self.node.clone(), local_hop }),
                ..proxy::Settings::default()
            },
            admin: self.admin,
            service_vips: self.service_vips.then(|| self.host.table().to_owned()),
            cgroup: self.cgroup,
            access_log: !self.no_access_log,
        };
        agent::Config {
            sync: sync::Settings { mesh, waypoints: Served::ByStatus, ..sync },
            host,
            node: self.node,
            upstream_mark: UPSTREAM_MARK,
            identity: self.authority.identity(),
        }
    }
}
