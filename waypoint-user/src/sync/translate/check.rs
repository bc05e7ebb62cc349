//! What an object must fulfil by itself, as an API server's schema would have it.
//!
//! It looks at one object; everything that needs a second is found in translation.

use std::net::IpAddr;

use gateway_api::experimental::{
    gateways::{Gateway, GatewayListeners},
    grpcroutes::GrpcRoute,
    httproutes::HttpRoute,
    tcproutes::TcpRoute,
    tlsroutes::TlsRoute,
};
use k8s_openapi::api::{
    core::v1::{Node, Pod, Service},
    discovery::v1::EndpointSlice,
};
use serde_json::Value;

use crate::{
    mesh::label::{USE_WAYPOINT, USE_WAYPOINT_NAMESPACE},
    sync::{
        admit::DEFAULT_NAMESPACE, authorization::AuthorizationPolicy,
        peer_authentication::PeerAuthentication, service_entry::ServiceEntry,
        traffic_policy::TrafficPolicy, workload_entry::WorkloadEntry,
    },
};

use super::{
    connection_routes, grpc_rules, invalid::Invalid, listeners, meta, nodes, peer_authentications,
    pods, policies, ports, rules, service_hosts, services, traffic_rules, workload_entries,
};

/// Names, and labels' values.
pub(in crate::sync) fn metadata(document: &Value) -> Result<(), String> {
    let metadata = document.get("metadata").and_then(Value::as_object);
    let Some(metadata) = metadata else { return Err("metadata is not a map".to_owned()) };
    for field in ["name", "namespace"] {
        match metadata.get(field) {
            None | Some(Value::Null) => {}
            Some(Value::String(name)) if is_name(name) => {}
            Some(other) => return Err(format!("metadata.{field}: {other} is not a name")),
        }
    }
    let labels = match metadata.get("labels") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Object(labels)) => labels,
        Some(_) => return Err("metadata.labels is not a map".to_owned()),
    };
    for (key, value) in labels {
        match value {
            Value::String(value) if is_label_value(value) => {}
            Value::String(value) if key == USE_WAYPOINT && value.contains('/') => {
                return Err(format!(
                    "metadata.labels: {key}: {value:?} is not a label's value; write only the \
                     Gateway's name, and its namespace in {USE_WAYPOINT_NAMESPACE}"
                ));
            }
            other => return Err(format!("metadata.labels: {key}: {other} is not a label's value")),
        }
    }
    Ok(())
}

/// Addresses.
pub(in crate::sync) fn pod(pod: &Pod) -> Result<(), Invalid> {
    pods::addresses(pod).map(drop)
}

/// Addresses.
pub(in crate::sync) fn node(node: &Node) -> Result<(), Invalid> {
    nodes::addresses(node).map(drop)
}

/// Addresses and ports.
pub(in crate::sync) fn service(service: &Service) -> Result<(), Invalid> {
    let Some(spec) = &service.spec else { return Ok(()) };
    services::vips(spec)?;
    let mut ports = spec.ports.iter().flatten();
    ports.try_for_each(|declared| ports::port(declared).map(drop))
}

/// Addresses and ports.
pub(in crate::sync) fn endpoint_slice(slice: &EndpointSlice) -> Result<(), Invalid> {
    if slice.address_type != "FQDN" {
        let mut addresses =
            slice.endpoints.iter().flatten().flat_map(|endpoint| &endpoint.addresses);
        addresses.try_for_each(|text| {
            let wrong = || Invalid::field("endpoints", format!("{text:?} is not an address"));
            text.parse::<IpAddr>().map(drop).map_err(|_| wrong())
        })?;
    }
    let mut ports = slice.ports.iter().flatten().filter_map(|port| port.port);
    ports.try_for_each(|port| meta::port(port).map(drop))
}

/// Who may use the listeners that a waypoint goes by. Whether they are those of a waypoint depends
/// on the Gateway's class.
pub(in crate::sync) fn gateway(gateway: &Gateway) -> Result<(), Invalid> {
    let mut tunnels = gateway.spec.listeners.iter().filter(|one| listeners::is_tunnel(one));
    tunnels.try_for_each(|listener| listeners::allowed(listener).map(drop))
}

/// Matches, filters and weights.
pub(in crate::sync) fn http_route(route: &HttpRoute) -> Result<(), Invalid> {
    let mut declared = route.spec.rules.iter().flatten().enumerate();
    declared.try_for_each(|(index, rule)| rules::rule(index, rule).map(drop))
}

/// Matches, filters and weights.
pub(in crate::sync) fn grpc_route(route: &GrpcRoute) -> Result<(), Invalid> {
    let mut declared = route.spec.rules.iter().flatten().enumerate();
    declared
        .try_for_each(|(index, rule)| rules::rule(index, &grpc_rules::rule(index, rule)?).map(drop))
}

/// Names of servers, and weights.
pub(in crate::sync) fn tls_route(route: &TlsRoute) -> Result<(), Invalid> {
    connection_routes::hostnames(route)?;
    let mut declared = route.spec.rules.iter().enumerate();
    declared.try_for_each(|(index, rule)| {
        rules::rule(index, &connection_routes::rule(index, rule)?).map(drop)
    })
}

/// Weights.
pub(in crate::sync) fn tcp_route(route: &TcpRoute) -> Result<(), Invalid> {
    let mut declared = route.spec.rules.iter().enumerate();
    declared.try_for_each(|(index, rule)| {
        rules::rule(index, &connection_routes::rule(index, rule)?).map(drop)
    })
}

/// Hosts, addresses, ports and endpoints.
pub(in crate::sync) fn service_entry(declared: &ServiceEntry) -> Result<(), Invalid> {
    service_hosts::check(declared)
}

/// Address and ports.
pub(in crate::sync) fn workload_entry(declared: &WorkloadEntry) -> Result<(), Invalid> {
    workload_entries::check(&declared.spec).map_err(|cause| Invalid::field("spec", cause))
}

/// Rules.
pub(in crate::sync) fn policy(policy: &AuthorizationPolicy) -> Result<(), Invalid> {
    let namespace = policy.metadata.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
    policies::rules(namespace, &policy.spec).map(drop)
}

/// Selector and ports.
pub(in crate::sync) fn peer_authentication(declared: &PeerAuthentication) -> Result<(), Invalid> {
    peer_authentications::check(declared)
}

/// Everything but targets.
pub(in crate::sync) fn traffic_policy(declared: &TrafficPolicy) -> Result<(), Invalid> {
    traffic_rules::rules(&declared.spec).map(drop)
}

/// Why a Gateway's listeners are none that its waypoint could go by.
pub(in crate::sync) const LISTENERS_NOT_VALID: &str = "ListenersNotValid";

/// What a Gateway's listeners are to be that its waypoint could go by.
pub(in crate::sync) const NO_LISTENER: &str =
    "Expected a single listener on port 15008 with protocol \"HBONE\"";

/// Whether a waypoint takes connections at a listener.
pub(in crate::sync) fn is_tunnel(listener: &GatewayListeners) -> bool {
    listeners::is_tunnel(listener)
}

/// A DNS subdomain, which every name is (RFC 1123).
fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let inner = |byte: u8| plain(byte) || byte == b'-' || byte == b'.';
    name.len() <= 253
        && name.bytes().all(inner)
        && name.bytes().next().is_some_and(plain)
        && name.bytes().last().is_some_and(plain)
}

/// A label's value: nothing, or up to 63 characters that begin and end with a letter or digit.
fn is_label_value(value: &str) -> bool {
    let outer = |byte: u8| byte.is_ascii_alphanumeric();
    let inner = |byte: u8| outer(byte) || matches!(byte, b'-' | b'_' | b'.');
    value.len() <= 63
        && value.bytes().all(inner)
        && value.bytes().next().is_none_or(outer)
        && value.bytes().last().is_none_or(outer)
}
