//! The arguments of `waypointd proxy`.

use std::net::SocketAddr;

use clap::Args;
use waypoint_user::{hbone, mesh::object::ObjectName, proxy::listen, roles, sync::cluster::Scope};

use super::{Authority, Engine, Log, Source};

#[derive(Args)]
pub(crate) struct Proxy {
    #[command(flatten)]
    source: Source,
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
    /// An address and port of a Service behind the Gateway at which it is served in plain TCP, to
    /// whoever dials it: for clients that no agent carries. The host must have the address. Nobody
    /// proves there who a client is, so no policy takes it for anybody. May be given more than
    /// once.
    #[arg(long, value_name = "ADDR:PORT")]
    listen_service: Vec<SocketAddr>,
    #[command(flatten)]
    engine: Engine,
    #[command(flatten)]
    pub(crate) log: Log,
}

impl Proxy {
    /// The configuration of the role.
    pub(crate) fn into_config(self) -> roles::proxy::Config {
        roles::proxy::Config {
            sync: self.source.settings(Scope::Waypoint(self.gateway.clone())),
            proxy: self.engine.settings(),
            gateway: self.gateway,
            pod: self.pod,
            ports: listen::Ports {
                hbone: self.listen_port,
                proxied: self.listen_proxy_protocol,
                services: self.listen_service,
            },
            identity: self.authority.identity(),
            access_log: self.engine.access_log(),
            tracing: self.engine.tracing.settings(),
            admin: self.engine.endpoints.addresses(),
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
