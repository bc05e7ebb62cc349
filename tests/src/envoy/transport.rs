//! TLS of Envoy's two sides: version 1.3, certificates on both, SPIFFE identities.

use serde_json::{Value, json};

use crate::wire::Credentials;

/// For a listener that those may dial whose identity begins like this.
pub(super) fn accepting(credentials: &Credentials, clients: &str, protocol: &str) -> Value {
    let clients = json!({"prefix": clients});
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": format!("{TYPES}DownstreamTlsContext"),
            "require_client_certificate": true,
            "disable_stateless_session_resumption": true,
            "disable_stateful_session_resumption": true,
            "common_tls_context": context(credentials, &clients, protocol),
        },
    })
}

/// For a cluster whose endpoints have one identity.
pub(super) fn dialling(credentials: &Credentials, identity: &str) -> Value {
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": format!("{TYPES}UpstreamTlsContext"),
            "max_session_keys": 0,
            "common_tls_context": context(credentials, &json!({"exact": identity}), "h2"),
        },
    })
}

/// For a cluster whose endpoints are internal listeners; what they are told about the endpoint goes
/// with the connection.
pub(super) fn internal() -> Value {
    json!({
        "name": "envoy.transport_sockets.internal_upstream",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.internal_upstream.v3\
                      .InternalUpstreamTransport",
            "passthrough_metadata": [{"kind": {"host": {}}, "name": ORIGINAL_DESTINATION}],
            "transport_socket": {
                "name": "envoy.transport_sockets.raw_buffer",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3\
                              .RawBuffer",
                },
            },
        },
    })
}

fn context(credentials: &Credentials, peer: &Value, protocol: &str) -> Value {
    let Credentials { chain, key, root } = credentials;
    json!({
        "alpn_protocols": [protocol],
        "tls_params": {
            "tls_minimum_protocol_version": "TLSv1_3",
            "tls_maximum_protocol_version": "TLSv1_3",
        },
        "tls_certificates": [{
            "certificate_chain": {"inline_string": chain},
            "private_key": {"inline_string": key},
        }],
        "validation_context": {
            "trusted_ca": {"inline_string": root},
            "match_typed_subject_alt_names": [{"san_type": "URI", "matcher": peer}],
        },
    })
}

/// The name under which an internal listener is told whom to dial.
pub(super) const ORIGINAL_DESTINATION: &str = "envoy.filters.listener.original_dst";
const TYPES: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.";
