//! The arguments of `waypointd proxy`.

use std::{path::PathBuf, thread, time::Duration};

use clap::Args;
use waypoint_user::{
    hbone,
    mesh::{object::ObjectName, snapshot},
    proxy::{self, listen},
    roles,
    sync::{self, Served},
    telemetry::admin::AdminAddress,
};

use super::{Authority, Log};

#[derive(Args)]
pub(crate) struct Proxy {
    /// Directory of Kubernetes manifests; changes are followed.
    #[arg(long, value_name = "DIR")]
    manifests: PathBuf,
    /// The Gateway whose Services and workloads are served.
    #[arg(long, value_name = "NS/NAME", value_parser = parse_object)]
    gateway: ObjectName,
    /// The pod that this process runs in; it has the identity of its service account.
    #[arg(long, value_name = "NS/NAME", value_parser = parse_object)]
    pod: ObjectName,
    #[command(flatten)]
    pub(crate) authority: Authority,
    /// Port of HBONE, on every address.
    #[arg(long, value_name = "PORT", default_value_t = hbone::PORT)]
    listen_port: u16,
    /// Port of TCP with a header of PROXY protocol, version 2, in front, on every address; for a
    /// Gateway whose annotation ambient.istio.io/waypoint-inbound-binding is PROXY/PORT, for which
    /// agents terminate HBONE. Nothing proves there that the agent speaks: a client is believed to
    /// be the pod that has its address, so let PeerAuthentication or a network policy keep
    /// plaintext of others away from the pod.
    #[arg(long, value_name = "PORT")]
    listen_proxy_protocol: Option<u16>,
    /// Admin address: ADDR:PORT, or unix:PATH.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:15000")]
    admin: AdminAddress,
    /// Data threads; 0 means one for each core.
    #[arg(long, value_name = "N", default_value_t = 0)]
    workers: usize,
    #[command(flatten)]
    pub(crate) log: Log,
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

impl Proxy {
    /// The configuration of the role.
    pub(crate) fn into_config(self) -> roles::proxy::Config {
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        let workers = if self.workers == 0 { cores() } else { self.workers };
        let mesh = snapshot::Settings {
            trust_domain: self.trust_domain,
            root_namespace: self.root_namespace,
            ..snapshot::Settings::default()
        };
        let sync = sync::Settings::new(self.manifests);
        roles::proxy::Config {
            sync: sync::Settings { mesh, waypoints: Served::ByStatus, ..sync },
            proxy: proxy::Settings {
                workers,
                sniff_deadline: Duration::from_millis(self.sniff_deadline_ms),
                drain_deadline: Duration::from_secs(self.drain_seconds),
                ..proxy::Settings::default()
            },
            gateway: self.gateway,
            pod: self.pod,
            ports: listen::Ports { hbone: self.listen_port, proxied: self.listen_proxy_protocol },
            identity: self.authority.identity(),
            admin: self.admin,
            access_log: !self.no_access_log,
        }
    }
}

/// `namespace/name`.
fn parse_object(text: &str) -> Result<ObjectName, String> {
    let (namespace, name) = text.split_once('/').ok_or("write NAMESPACE/NAME")?;
    if namespace.is_empty() || name.is_empty() || name.contains('/') {
        return Err("write NAMESPACE/NAME".to_owned());
    }
    Ok(ObjectName::new(namespace, name))
}
