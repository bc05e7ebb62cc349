//! Where things come into Envoy.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{
    bootstrap::socket,
    transport::{self, ORIGINAL_DESTINATION},
};
use crate::wire::Credentials;

/// A listener under a name.
#[derive(Clone, Debug)]
pub struct Listener {
    pub(super) config: Value,
    /// Where it can be dialled from outside.
    pub(super) address: Option<SocketAddr>,
}

/// Who serves a TLS listener, and how the identities of those begin that may dial it.
type Server<'c> = (&'c Credentials, &'c str);

impl Listener {
    /// HTTP/1 over mutual TLS, proxied to a cluster.
    pub fn mutual_tls(at: SocketAddr, (credentials, clients): Server<'_>, cluster: &str) -> Self {
        let filter = http_proxy(cluster);
        let socket = transport::accepting(credentials, clients, "http/1.1");
        Self::at("mutual_tls", at, &json!({"filters": [filter], "transport_socket": socket}))
    }

    /// HTTP in clear as a waypoint of Istio's takes it, proxied to a cluster.
    pub fn like_a_waypoint(at: SocketAddr, cluster: &str) -> Self {
        let route = json!({
            "match": {"prefix": "/"},
            "route": {"cluster": cluster, "timeout": "0s"},
        });
        let options = json!({
            "server_name": "istio-envoy",
            "normalize_path": true,
            "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
            "proxy_100_continue": true,
            "use_remote_address": false,
            "http_protocol_options": {"accept_http_10": true},
            "upgrade_configs": [{"upgrade_type": "websocket"}],
        });
        let filter = connection_manager("waypoint", &route, &options);
        Self::at("waypoint", at, &json!({"filters": [filter]}))
    }

    /// HBONE; the content of tunnels goes to a cluster as it is.
    pub fn hbone(at: SocketAddr, (credentials, clients): Server<'_>, cluster: &str) -> Self {
        let name = format!("connect_terminate_{cluster}");
        let filter = connect_terminator(cluster);
        let socket = transport::accepting(credentials, clients, "h2");
        Self::at(&name, at, &json!({"filters": [filter], "transport_socket": socket}))
    }

    /// TCP, each connection as a tunnel to one authority through a cluster that speaks HBONE.
    pub fn encapsulating(at: SocketAddr, authority: &str, cluster: &str) -> Self {
        let filter = tunnelling(cluster, authority);
        Self::at(&format!("tcp_{cluster}"), at, &json!({"filters": [filter]}))
    }

    /// Internal: HTTP, proxied to a cluster.
    pub fn internal_http(name: &str, cluster: &str) -> Self {
        Self::internal(name, &http_proxy(cluster), &json!([]))
    }

    /// Internal: each connection as a tunnel to where it was going.
    pub fn internal_encapsulating(name: &str, cluster: &str) -> Self {
        let told = json!([{
            "name": ORIGINAL_DESTINATION,
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.listener.original_dst.v3\
                          .OriginalDst",
            },
        }]);
        let filter = tunnelling(cluster, "%DOWNSTREAM_LOCAL_ADDRESS%");
        Self::internal(name, &filter, &told)
    }

    fn at(name: &str, address: SocketAddr, chain: &Value) -> Self {
        let config = json!({
            "name": name,
            "address": socket(address),
            "filter_chains": [chain],
        });
        Self { config, address: Some(address) }
    }

    fn internal(name: &str, filter: &Value, listener_filters: &Value) -> Self {
        let config = json!({
            "name": name,
            "internal_listener": {},
            "listener_filters": listener_filters,
            "filter_chains": [{"filters": [filter]}],
        });
        Self { config, address: None }
    }
}

/// Every HTTP request to a cluster.
fn http_proxy(cluster: &str) -> Value {
    let route = json!({
        "match": {"prefix": "/"},
        "route": {"cluster": cluster, "timeout": "0s"},
    });
    connection_manager(&format!("http_{cluster}"), &route, &json!({}))
}

/// The content of every CONNECT to a cluster.
fn connect_terminator(cluster: &str) -> Value {
    let connect = json!({"upgrade_type": "CONNECT", "connect_config": {}});
    let route = json!({
        "match": {"connect_matcher": {}},
        "route": {"cluster": cluster, "timeout": "0s", "upgrade_configs": [connect]},
    });
    let options = json!({
        "upgrade_configs": [{"upgrade_type": "CONNECT"}],
        "http2_protocol_options": {"allow_connect": true},
    });
    connection_manager(&format!("connect_{cluster}"), &route, &options)
}

fn connection_manager(name: &str, route: &Value, options: &Value) -> Value {
    let mut config = json!({
        "@type": format!("{NETWORK}.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": name,
        "stream_idle_timeout": "0s",
        "route_config": {
            "name": name,
            "virtual_hosts": [{"name": name, "domains": ["*"], "routes": [route]}],
        },
        "http_filters": [{
            "name": "envoy.filters.http.router",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
            },
        }],
    });
    if let (Some(config), Some(options)) = (config.as_object_mut(), options.as_object()) {
        config.extend(options.clone());
    }
    json!({"name": "envoy.filters.network.http_connection_manager", "typed_config": config})
}

/// The content of every connection as a tunnel to an authority.
fn tunnelling(cluster: &str, authority: &str) -> Value {
    let config = json!({
        "@type": format!("{NETWORK}.tcp_proxy.v3.TcpProxy"),
        "stat_prefix": format!("tcp_{cluster}"),
        "cluster": cluster,
        "idle_timeout": "0s",
        "tunneling_config": {"hostname": authority},
    });
    json!({"name": "envoy.filters.network.tcp_proxy", "typed_config": config})
}

const NETWORK: &str = "type.googleapis.com/envoy.extensions.filters.network";
