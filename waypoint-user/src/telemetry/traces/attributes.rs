//! The attributes of a span: those of OpenTelemetry's conventions for HTTP and gRPC servers, and
//! those of Istio and Envoy by which dashboards find their way.
//!
//! **Invariant:** what a request asks of a path (its query) is not told, as it may be a secret.

use std::net::SocketAddr;

use http::{HeaderValue, Method, uri::Authority};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};

use crate::{mesh::workload::Workload, telemetry::access::Entry};

use super::span::Span;

/// All of them.
pub(super) fn of(span: &Span) -> Vec<KeyValue> {
    let mut all = Attributes(Vec::with_capacity(ATTRIBUTES_USUAL));
    of_http(span, &mut all);
    of_grpc(span, &mut all);
    of_envoy(span, &mut all);
    of_istio(span, &mut all);
    all.0
}

/// OpenTelemetry, "Semantic conventions for HTTP spans".
fn of_http(span: &Span, all: &mut Attributes) {
    let entry = &span.entry;
    let known = method(entry.method.as_ref());
    all.text("http.request.method", known);
    if known == OTHER {
        all.some("http.request.method_original", entry.method.as_ref().map(Method::as_str));
    }
    all.text("url.scheme", "http");
    all.some("url.path", span.path.as_deref());
    let (host, port) = server(entry);
    all.text("server.address", host);
    all.number("server.port", port.into());
    all.text("client.address", entry.downstream_remote_address.ip().to_string());
    all.some("network.protocol.version", entry.protocol.and_then(|text| text.split('/').nth(1)));
    all.value("user_agent.original", entry.user_agent.as_ref());
    if entry.response_code > 0 {
        all.number("http.response.status_code", entry.response_code.into());
    }
    if span.failed() {
        all.text("error.type", failure(span));
    }
}

/// OpenTelemetry, "Semantic conventions for gRPC".
fn of_grpc(span: &Span, all: &mut Attributes) {
    if !span.is_grpc {
        return;
    }
    all.text("rpc.system", "grpc");
    all.some("rpc.service", span.called().map(|(service, _)| service));
    all.some("rpc.method", span.called().map(|(_, method)| method));
    if let Some(status) = span.grpc_status {
        all.number("rpc.grpc.status_code", status.into());
    }
}

/// What Envoy says.
fn of_envoy(span: &Span, all: &mut Attributes) {
    let entry = &span.entry;
    all.text("component", "proxy");
    all.some("http.method", entry.method.as_ref().map(Method::as_str));
    all.some("http.protocol", entry.protocol);
    all.text("http.status_code", entry.response_code.to_string());
    if let Some(status) = span.grpc_status {
        all.text("grpc.status_code", status.to_string());
    }
    all.text("response_flags", entry.response_flags.unwrap_or("-"));
    all.text("request_size", entry.bytes_received.to_string());
    all.text("response_size", entry.bytes_sent.to_string());
    all.value("guid:x-request-id", entry.request_id.as_ref());
    all.some("upstream_cluster", entry.upstream_cluster.as_deref());
    all.some("upstream_cluster.name", entry.upstream_cluster.as_deref());
    all.some("upstream_address", entry.upstream_host.as_ref().map(SocketAddr::to_string));
    all.text("peer.address", entry.downstream_remote_address.ip().to_string());
}

/// What Istio's waypoints say, and a few words of our own.
fn of_istio(span: &Span, all: &mut Attributes) {
    let entry = &span.entry;
    let waypoint = entry.waypoint.as_deref().and_then(|name| name.split_once('/'));
    if let Some((namespace, name)) = waypoint {
        all.text("istio.canonical_service", name);
        all.text("istio.canonical_revision", "latest");
        all.text("istio.namespace", namespace);
    }
    all.some("istio.source_principal", entry.source_principal.as_ref().map(ToString::to_string));
    if let Some(source) = &entry.source_workload {
        party(source, &SOURCE, all);
    }
    all.text("istio.destination_service", &*span.service.host);
    all.text("istio.destination_service_name", &*span.service.name);
    all.text("istio.destination_service_namespace", &*span.service.namespace);
    if let Some(destination) = &entry.destination_workload {
        party(destination, &DESTINATION, all);
    }
    all.some("waypoint.route", entry.route_name.as_deref());
    all.some("waypoint.blame", entry.blame);
    all.some("waypoint.details", entry.response_code_details.as_deref());
}

/// A side of the request: workload, namespace, instance, canonical service.
fn party(workload: &Workload, keys: &[&'static str; 4], all: &mut Attributes) {
    let name = &workload.name;
    let values = [&workload.owner, &name.namespace, &name.name, workload.canonical_service()];
    for (key, value) in keys.iter().zip(values) {
        all.text(key, value);
    }
}

/// The host and port that were asked for, else dialled.
fn server(entry: &Entry) -> (String, u16) {
    let dialled = entry.downstream_local_address;
    let asked = entry.authority.as_ref().and_then(|text| text.parse::<Authority>().ok());
    match asked {
        Some(asked) => (asked.host().to_owned(), asked.port_u16().unwrap_or(dialled.port())),
        None => (dialled.ip().to_string(), dialled.port()),
    }
}

/// A method, if it is one that is known (RFC 9110 and RFC 5789).
pub(super) fn method(method: Option<&Method>) -> &'static str {
    let method = method.map(Method::as_str);
    let known = METHODS.iter().find(|known| method == Some(**known));
    known.copied().unwrap_or(OTHER)
}

/// What kind of failure it was: the status, else the response flag.
fn failure(span: &Span) -> String {
    let entry = &span.entry;
    match (entry.response_flags, span.grpc_status) {
        (_, Some(status)) if status > 0 => status.to_string(),
        (Some(flag), _) if entry.response_code < 400 => flag.to_owned(),
        _ => entry.response_code.to_string(),
    }
}

/// Attributes that are gathered.
struct Attributes(Vec<KeyValue>);

impl Attributes {
    fn text(&mut self, key: &str, value: impl Into<String>) {
        self.push(key, Value::StringValue(value.into()));
    }

    fn some(&mut self, key: &str, value: Option<impl Into<String>>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    /// What a client sent, which need not be text.
    fn value(&mut self, key: &str, value: Option<&HeaderValue>) {
        let text = value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        self.some(key, text);
    }

    fn number(&mut self, key: &str, value: i64) {
        self.push(key, Value::IntValue(value));
    }

    fn push(&mut self, key: &str, value: Value) {
        let value = Some(AnyValue { value: Some(value) });
        self.0.push(KeyValue { key: key.to_owned(), value, ..KeyValue::default() });
    }
}

/// The attribute of a text.
pub(super) fn text(key: &str, value: impl Into<String>) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.into())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

/// What stands for a method that is not known.
pub(super) const OTHER: &str = "_OTHER";

const METHODS: [&str; 9] =
    ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];

/// The names of what is said of the client, and of the pod that answered.
const SOURCE: [&str; 4] = [
    "istio.source_workload",
    "istio.source_namespace",
    "istio.source_instance_name",
    "istio.source_canonical_service",
];
const DESTINATION: [&str; 4] = [
    "istio.destination_workload",
    "istio.destination_namespace",
    "istio.destination_instance_name",
    "istio.destination_canonical_service",
];

/// Room for what most spans have.
const ATTRIBUTES_USUAL: usize = 40;
