//! Looks names up as the system does: its hosts file, then its name servers, both families at once.
//!
//! It remembers nothing.

use std::{net::SocketAddr, time::Instant};

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig},
    net::{NetError, runtime::TokioRuntimeProvider},
};

use super::{Answer, Looking, Lookup};

/// Name servers.
pub(in crate::proxy) struct Dns(Result<TokioResolver, String>);

impl Dns {
    /// These name servers, or if there are none those of `/etc/resolv.conf`.
    pub(in crate::proxy) fn new(servers: &[SocketAddr]) -> Self {
        let resolver = resolver(servers).map_err(|cause| {
            format!("there is no name server to ask: {cause}; see /etc/resolv.conf or --dns-server")
        });
        if let Err(cause) = &resolver {
            tracing::debug!(cause, "names of endpoints will not be looked up");
        }
        Self(resolver)
    }
}

fn resolver(servers: &[SocketAddr]) -> Result<TokioResolver, NetError> {
    let mut builder = if servers.is_empty() {
        TokioResolver::builder_tokio()?
    } else {
        let mut config = ResolverConfig::default();
        for server in servers {
            config.add_name_server(at(*server));
        }
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    let options = builder.options_mut();
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.cache_size = 0;
    builder.build()
}

/// A name server at an address.
fn at(server: SocketAddr) -> NameServerConfig {
    let mut config = NameServerConfig::udp_and_tcp(server.ip());
    let set_port = |connection: &mut ConnectionConfig| connection.port = server.port();
    config.connections.iter_mut().for_each(set_port);
    config
}

impl Lookup for Dns {
    fn look_up(&self, name: &str) -> Looking {
        let resolver = self.0.clone();
        let name = whole(name);
        Box::pin(async move {
            let resolver = match resolver {
                Ok(resolver) => resolver,
                Err(cause) => return Answer::Failed(cause),
            };
            match resolver.lookup_ip(name).await {
                Ok(found) => {
                    let ttl = found.valid_until().saturating_duration_since(Instant::now());
                    let addresses: Vec<_> = found.iter().collect();
                    if addresses.is_empty() { Answer::None } else { Answer::Found(addresses, ttl) }
                }
                Err(cause) if cause.is_no_records_found() || cause.is_nx_domain() => Answer::None,
                Err(cause) => Answer::Failed(cause.to_string()),
            }
        })
    }
}

/// A host name with a dot is whole: the domains that the system would try to append are not asked.
fn whole(name: &str) -> String {
    let dot = if name.contains('.') && !name.ends_with('.') { "." } else { "" };
    format!("{name}{dot}")
}
