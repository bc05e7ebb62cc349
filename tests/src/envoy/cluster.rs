//! Where Envoy sends things.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{
    bootstrap::socket,
    transport::{self, ORIGINAL_DESTINATION},
};
use crate::wire::{Credentials, tunnel::PORT};

/// A cluster under a name.
#[derive(Clone, Debug)]
pub struct Cluster(pub(super) Value);

/// A way to endpoints by HBONE.
#[derive(Clone, Debug)]
pub struct Tunnel<'c> {
    /// Who we are.
    pub credentials: &'c Credentials,
    /// Who the other end has to be.
    pub identity: &'c str,
}

impl Cluster {
    /// One endpoint that speaks whatever is sent.
    pub fn plain(name: &str, endpoint: SocketAddr) -> Self {
        Self::fixed(name, &json!({"endpoint": {"address": socket(endpoint)}}))
    }

    /// An internal listener of the same Envoy.
    pub fn internal(name: &str, listener: &str) -> Self {
        let address = json!({"envoy_internal_address": {"server_listener_name": listener}});
        let mut cluster = Self::fixed(name, &json!({"endpoint": {"address": address}}));
        cluster.set("transport_socket", transport::internal());
        cluster
    }

    /// One endpoint, reached through the internal listener that tunnels.
    pub fn tunnelled(name: &str, listener: &str, endpoint: SocketAddr) -> Self {
        let address = json!({"envoy_internal_address": {
            "server_listener_name": listener,
            "endpoint_id": endpoint.to_string(),
        }});
        let told = json!({ORIGINAL_DESTINATION: {"local": endpoint.to_string()}});
        let endpoint =
            json!({"endpoint": {"address": address}, "metadata": {"filter_metadata": told}});
        let mut cluster = Self::fixed(name, &endpoint);
        cluster.set("transport_socket", transport::internal());
        cluster
    }

    /// The HBONE port of wherever a connection wanted to go.
    pub fn encapsulating(name: &str, tunnel: &Tunnel<'_>) -> Self {
        let mut cluster = Self(json!({
            "name": name,
            "type": "ORIGINAL_DST",
            "lb_policy": "CLUSTER_PROVIDED",
            "original_dst_lb_config": {"upstream_port_override": PORT},
        }));
        cluster.speak_hbone(tunnel);
        cluster
    }

    /// One peer that speaks HBONE.
    pub fn hbone(name: &str, peer: SocketAddr, tunnel: &Tunnel<'_>) -> Self {
        let mut cluster = Self::plain(name, peer);
        cluster.speak_hbone(tunnel);
        cluster
    }

    fn fixed(name: &str, endpoint: &Value) -> Self {
        let mut cluster = Self(json!({
            "name": name,
            "type": "STATIC",
            "load_assignment": {
                "cluster_name": name,
                "endpoints": [{"lb_endpoints": [endpoint]}],
            },
        }));
        cluster.set("circuit_breakers", unlimited());
        cluster
    }

    fn speak_hbone(&mut self, tunnel: &Tunnel<'_>) {
        let socket = transport::dialling(tunnel.credentials, tunnel.identity);
        self.set("transport_socket", socket);
        self.set("circuit_breakers", unlimited());
        let options = json!({
            "@type": format!("{HTTP}.HttpProtocolOptions"),
            "explicit_http_config": {"http2_protocol_options": {"allow_connect": true}},
        });
        let name = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
        self.set("typed_extension_protocol_options", json!({name: options}));
    }

    fn set(&mut self, key: &str, value: Value) {
        if let Some(object) = self.0.as_object_mut() {
            object.insert(key.to_owned(), value);
        }
    }
}

/// As much at once as a test asks for.
fn unlimited() -> Value {
    let many = 1_000_000;
    json!({"thresholds": [{
        "max_connections": many,
        "max_pending_requests": many,
        "max_requests": many,
    }]})
}

const HTTP: &str = "type.googleapis.com/envoy.extensions.upstreams.http.v3";
