//! The command line of `waypointd`, turned into typed settings once.

use std::{path::PathBuf, thread, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use waypoint_common::redirect::UPSTREAM_MARK;
use waypoint_user::{
    kernel,
    mesh::snapshot,
    proxy,
    roles::standalone,
    sync,
    telemetry::{admin::AdminAddress, logging::Format},
};

/// Waypoint's daemon: picks up labelled traffic by eBPF and handles it at L7.
#[derive(Parser)]
#[command(name = "waypointd", version, max_term_width = 100)]
pub(crate) struct Command {
    #[command(subcommand)]
    pub(crate) role: Role,
}

#[derive(Subcommand)]
pub(crate) enum Role {
    /// Everything in one process on one Linux host, from manifests in a directory.
    Standalone(Box<Standalone>),
    /// Remove every trace of an agent from this host: links, pins, namespaces, rules.
    Cleanup(Node),
}

/// What an agent leaves on the host, and where; two agents with different settings do not meet.
#[derive(Args)]
pub(crate) struct Node {
    /// Where BPF programs, maps and links are pinned; a bpffs is mounted above it if there is none.
    #[arg(long, value_name = "DIR", default_value = "/sys/fs/bpf/waypoint")]
    pin_dir: PathBuf,
    /// Where the agent's network namespace, lock and sockets are.
    #[arg(long, value_name = "DIR", default_value = "/run/waypoint")]
    run_dir: PathBuf,
    /// Name of the agent's network interface on the host; its self-probe has one of the same name
    /// with a `p` behind it.
    #[arg(long, value_name = "NAME", default_value = "wpd0", value_parser = parse_link)]
    link: String,
    /// Name of the nftables table that --service-vips keeps.
    #[arg(long, value_name = "NAME", default_value = "waypoint")]
    service_vips_table: String,
}

#[derive(Args)]
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
    /// Log filter, as in `info` or `waypoint_user::proxy=debug`; change it at run time by /logging.
    #[arg(long, value_name = "FILTER", default_value = "info", env = "WAYPOINT_LOG")]
    pub(crate) log: String,
    /// What lines of the log look like.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
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

/// A name for a network interface that leaves room for the probe's.
fn parse_link(name: &str) -> Result<String, String> {
    let fits = (1..LINK_NAME_BYTES_MAX).contains(&name.len());
    let plain = !name.contains(['/', ':', '%']) && !name.contains(char::is_whitespace);
    if fits && plain && name != "." && name != ".." {
        Ok(name.to_owned())
    } else {
        Err(format!("an interface's name has 1 to {} plain bytes", LINK_NAME_BYTES_MAX - 1))
    }
}

/// What lines of the log look like.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl From<LogFormat> for Format {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Text => Self::Text,
            LogFormat::Json => Self::Json,
        }
    }
}

impl Node {
    /// What the kernel door needs to know, for one worker.
    pub(crate) fn settings(&self) -> kernel::Settings {
        kernel::Settings {
            pin_dir: self.pin_dir.clone(),
            run_dir: self.run_dir.clone(),
            link: self.link.clone(),
            ..kernel::Settings::default()
        }
    }

    /// The nftables table of Service addresses.
    pub(crate) fn table(&self) -> &str {
        &self.service_vips_table
    }
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
        standalone::Config {
            sync: sync::Settings { mesh, ..sync::Settings::new(self.manifests) },
            kernel: kernel::Settings { workers, ..self.node.settings() },
            proxy: proxy::Settings {
                workers,
                sniff_deadline: Duration::from_millis(self.sniff_deadline_ms),
                drain_deadline: Duration::from_secs(self.drain_seconds),
                ..proxy::Settings::default()
            },
            upstream_mark: UPSTREAM_MARK,
            admin: self.admin,
            service_vips: self.service_vips.then(|| self.node.table().to_owned()),
            access_log: !self.no_access_log,
        }
    }
}

/// The longest name of an interface, without the NUL behind it (`IFNAMSIZ`).
const LINK_NAME_BYTES_MAX: usize = 15;
