//! Envoy's configuration.

use std::{net::SocketAddr, path::Path};

use serde_json::{Map, Value, json};

use super::{File, Protocol, Routes, Scene, file_of, path_of, path_of_rule, tenant_of};
use crate::bench::l7::load::TENANT;

/// Its files; it is started with `envoy.json`.
pub fn files(scene: &Scene) -> Vec<File> {
    let bootstrap = json!({
        "static_resources": {"listeners": [listener(scene)], "clusters": [cluster(scene)]},
    });
    vec![("envoy.json", format!("{bootstrap:#}\n"))]
}

fn listener(scene: &Scene) -> Value {
    let manager = json!({
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": connection_manager(scene),
    });
    let chain = match &scene.credentials {
        Some(folder) => json!({"filters": [manager], "transport_socket": mutual_tls(folder)}),
        None => json!({"filters": [manager]}),
    };
    json!({"name": "front", "address": socket(scene.listen), "filter_chains": [chain]})
}

/// TLS for which clients need a certificate, without resumption.
fn mutual_tls(folder: &Path) -> Value {
    let file = |name| json!({"filename": file_of(folder, name)});
    let context = json!({
        "alpn_protocols": ["http/1.1"],
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_3"},
        "tls_certificates": [
            {"certificate_chain": file("chain.pem"), "private_key": file("key.pem")},
        ],
        "validation_context": {"trusted_ca": file("root.pem")},
    });
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": format!("{TYPES}.transport_sockets.tls.v3.DownstreamTlsContext"),
            "require_client_certificate": true,
            "disable_stateless_session_resumption": true,
            "disable_stateful_session_resumption": true,
            "common_tls_context": context,
        },
    })
}

fn connection_manager(scene: &Scene) -> Value {
    let codec = match scene.protocols.0 {
        Protocol::Http1 => "HTTP1",
        Protocol::Http2 => "HTTP2",
    };
    let hosts = json!([{"name": "all", "domains": ["*"], "routes": routes(scene)}]);
    let router = json!({
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": format!("{TYPES}.filters.http.router.v3.Router")},
    });
    let filters: Vec<Value> = rbac(scene).into_iter().chain([router]).collect();
    let logs: Vec<Value> = scene.is_dressed.then(|| access_log(scene)).into_iter().collect();
    json!({
        "@type": format!("{NETWORK}.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "front",
        "codec_type": codec,
        "stream_idle_timeout": "0s",
        "route_config": {"name": "front", "virtual_hosts": hosts},
        "http_filters": filters,
        "access_log": logs,
    })
}

fn routes(scene: &Scene) -> Vec<Value> {
    let route = |matches: Value| {
        json!({
            "match": matches, "route": {"cluster": "backend", "timeout": "0s"},
        })
    };
    match scene.routes {
        Routes::Paths(count) => (0..count)
            .map(|number| route(json!({"path_separated_prefix": path_of(number)})))
            .collect(),
        Routes::Headers(count) => {
            let header = |number| {
                json!({
                    "name": TENANT, "string_match": {"exact": tenant_of(number)},
                })
            };
            let matches = |number| json!({"prefix": "/", "headers": [header(number)]});
            (0..count).map(|number| route(matches(number))).collect()
        }
        Routes::None if scene.is_dressed => vec![route(json!({"path_separated_prefix": "/bench"}))],
        Routes::None => vec![route(json!({"prefix": "/"}))],
    }
}

/// The filter that knows who may do what, if anybody is to.
fn rbac(scene: &Scene) -> Option<Value> {
    let allowed: Vec<String> = if scene.is_dressed {
        vec!["/bench".to_owned()]
    } else {
        (0..scene.rules).map(path_of_rule).collect()
    };
    if allowed.is_empty() {
        return None;
    }
    let policy = |(number, path): (usize, &String)| {
        let method = json!({"header": {"name": ":method", "string_match": {"exact": "GET"}}});
        let path = json!({"url_path": {"path": {"prefix": path}}});
        let both = json!({"and_rules": {"rules": [method, path]}});
        let policy = json!({"permissions": [both], "principals": [{"any": true}]});
        (format!("rule-{number:03}"), policy)
    };
    let policies: Map<String, Value> = allowed.iter().enumerate().map(policy).collect();
    Some(json!({
        "name": "envoy.filters.http.rbac",
        "typed_config": {
            "@type": format!("{TYPES}.filters.http.rbac.v3.RBAC"),
            "rules": {"action": "ALLOW", "policies": policies},
        },
    }))
}

fn access_log(scene: &Scene) -> Value {
    let fields: Map<String, Value> =
        FIELDS.iter().map(|(name, of)| ((*name).to_owned(), json!(of))).collect();
    json!({
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": format!("{TYPES}.access_loggers.file.v3.FileAccessLog"),
            "path": file_of(&scene.folder, "access.log"),
            "log_format": {"json_format": fields},
        },
    })
}

fn cluster(scene: &Scene) -> Value {
    let endpoint = json!({"endpoint": {"address": socket(scene.backend)}});
    let explicit = match scene.protocols.1 {
        Protocol::Http1 => json!({"http_protocol_options": {}}),
        Protocol::Http2 => json!({"http2_protocol_options": {}}),
    };
    let options = json!({
        "@type": format!("{TYPES}.upstreams.http.v3.HttpProtocolOptions"),
        "explicit_http_config": explicit,
    });
    let many = 1_000_000;
    json!({
        "name": "backend",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": "backend",
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
        "circuit_breakers": {"thresholds": [
            {"max_connections": many, "max_pending_requests": many, "max_requests": many},
        ]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options,
        },
    })
}

fn socket(address: SocketAddr) -> Value {
    let (ip, port) = (address.ip().to_string(), address.port());
    json!({"socket_address": {"address": ip, "port_value": port}})
}

/// What a line of the access log has.
const FIELDS: &[(&str, &str)] = &[
    ("start_time", "%START_TIME%"),
    ("method", "%REQ(:METHOD)%"),
    ("path", "%REQ(:PATH)%"),
    ("protocol", "%PROTOCOL%"),
    ("authority", "%REQ(:AUTHORITY)%"),
    ("user_agent", "%REQ(USER-AGENT)%"),
    ("request_id", "%REQ(X-REQUEST-ID)%"),
    ("response_code", "%RESPONSE_CODE%"),
    ("response_flags", "%RESPONSE_FLAGS%"),
    ("response_code_details", "%RESPONSE_CODE_DETAILS%"),
    ("bytes_received", "%BYTES_RECEIVED%"),
    ("bytes_sent", "%BYTES_SENT%"),
    ("duration", "%DURATION%"),
    ("upstream_host", "%UPSTREAM_HOST%"),
    ("upstream_cluster", "%UPSTREAM_CLUSTER%"),
    ("downstream_remote_address", "%DOWNSTREAM_REMOTE_ADDRESS%"),
    ("downstream_local_address", "%DOWNSTREAM_LOCAL_ADDRESS%"),
];
const TYPES: &str = "type.googleapis.com/envoy.extensions";
const NETWORK: &str = "type.googleapis.com/envoy.extensions.filters.network";
