//! The file that Envoy starts from.

use std::{fmt, net::SocketAddr};

use serde_json::{Value, json};

use super::{Cluster, Listener};

/// Listeners and clusters; no admin port, no sinks for statistics.
#[derive(Clone, Debug, Default)]
pub struct Bootstrap {
    listeners: Vec<Value>,
    clusters: Vec<Value>,
    addresses: Vec<SocketAddr>,
}

impl Bootstrap {
    /// With a listener.
    #[must_use]
    pub fn listener(mut self, listener: Listener) -> Self {
        self.addresses.extend(listener.address);
        self.listeners.push(listener.config);
        self
    }

    /// With a cluster.
    #[must_use]
    pub fn cluster(mut self, cluster: Cluster) -> Self {
        self.clusters.push(cluster.0);
        self
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

impl fmt::Display for Bootstrap {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let internal = "type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3\
                        .InternalListener";
        let bootstrap = json!({
            "bootstrap_extensions": [{
                "name": "envoy.bootstrap.internal_listener",
                "typed_config": {"@type": internal},
            }],
            "static_resources": {"listeners": self.listeners, "clusters": self.clusters},
        });
        write!(out, "{bootstrap:#}")
    }
}

/// A socket address, as Envoy writes it.
pub(super) fn socket(address: SocketAddr) -> Value {
    let (ip, port) = (address.ip().to_string(), address.port());
    json!({"socket_address": {"address": ip, "port_value": port}})
}
