//! The arguments of `waypointd agent`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use waypoint_common::redirect::UPSTREAM_MARK;
use waypoint_user::{
    kernel,
    mesh::snapshot::CaptureMode,
    proxy::{self, Duty, LocalHop},
    roles::{
        agent,
        host::{self, AfterHandover},
    },
    sync::cluster::Scope,
};

use super::{Authority, Engine, Log, Node, Source, UPGRADE};

#[derive(Args)]
#[command(after_help = UPGRADE)]
pub(crate) struct Agent {
    #[command(flatten)]
    source: Source,
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
    #[command(flatten)]
    engine: Engine,
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
    /// What this process does when another has taken over and it has drained.
    #[arg(long, value_enum, default_value_t = Afterwards::Exit)]
    after_handover: Afterwards,
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

/// What a process does that was taken over from.
#[derive(Clone, Copy, ValueEnum)]
enum Afterwards {
    /// End.
    Exit,
    /// Wait for SIGTERM, where a process that ends is started again, as in a Kubernetes pod.
    Wait,
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
        let cluster = self.source.access();
        // Whoever leads to Services of every kind has to know where all of them lead.
        let scope = if self.service_vips { Scope::Whole } else { Scope::Node(self.node.clone()) };
        let mut sync = self.source.settings(scope);
        sync.mesh.capture = match self.capture {
            Capture::Waypoint => CaptureMode::Waypoint,
            Capture::Mesh => CaptureMode::Mesh,
        };
        let local_hop = match self.local_hop {
            Hop::Unix => LocalHop::Unix,
            Hop::Hbone => LocalHop::Hbone,
        };
        let engine = self.engine.settings();
        let host = host::Settings {
            kernel: kernel::Settings {
                workers: engine.workers,
                node: Some(self.node.clone()),
                inbound: true,
                exempt_cgroups: self.kubelet_cgroup,
                ..self.host.settings()
            },
            proxy: proxy::Settings {
                duty: Duty::Node(proxy::Node { name: self.node.clone(), local_hop }),
                ..engine
            },
            service_vips: self.service_vips.then(|| self.host.table().to_owned()),
            cgroup: self.cgroup,
            access_log: self.engine.access_log(),
            tracing: self.engine.tracing.settings(),
            admin: self.engine.endpoints.addresses(),
            cluster,
            after_handover: match self.after_handover {
                Afterwards::Exit => AfterHandover::Exit,
                Afterwards::Wait => AfterHandover::Wait,
            },
        };
        agent::Config {
            sync,
            host,
            node: self.node,
            upstream_mark: UPSTREAM_MARK,
            identity: self.authority.identity(),
        }
    }
}
