//! The arguments of `waypointd standalone`.

use std::path::PathBuf;

use clap::Args;
use waypoint_common::redirect::UPSTREAM_MARK;
use waypoint_user::{
    kernel,
    roles::{
        host::{self, AfterHandover},
        standalone,
    },
    sync::{self, Served, cluster::Scope},
};

use super::{Engine, Log, Node, Source, UPGRADE};

#[derive(Args)]
#[command(after_help = UPGRADE)]
pub(crate) struct Standalone {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    node: Node,
    /// Forward Service addresses that no waypoint handles to ready endpoints, by one nftables
    /// table; leave it out where kube-proxy runs.
    #[arg(long)]
    service_vips: bool,
    #[command(flatten)]
    engine: Engine,
    #[command(flatten)]
    pub(crate) log: Log,
    /// cgroup (version 2) of the pods: tells of all their TCP connections, captured or not, in
    /// metrics and by `waypointctl observe`.
    #[arg(long, value_name = "DIR")]
    cgroup: Option<PathBuf>,
}

impl Standalone {
    /// The configuration of the role.
    pub(crate) fn into_config(self) -> standalone::Config {
        let proxy = self.engine.settings();
        let host = host::Settings {
            kernel: kernel::Settings { workers: proxy.workers, ..self.node.settings() },
            proxy,
            service_vips: self.service_vips.then(|| self.node.table().to_owned()),
            cgroup: self.cgroup,
            access_log: self.engine.access_log(),
            tracing: self.engine.tracing.settings(),
            admin: self.engine.endpoints.addresses(),
            cluster: None,
            after_handover: AfterHandover::Exit,
        };
        let everything = self.source.settings(Scope::Whole);
        let sync = sync::Settings { waypoints: Served::Here, ..everything };
        standalone::Config { sync, host, upstream_mark: UPSTREAM_MARK }
    }
}
