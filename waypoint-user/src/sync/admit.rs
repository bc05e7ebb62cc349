//! From one document to one object, or to a finding about why not.
//!
//! It looks at the document alone, as an API server's schema does; references are `translate`'s.
//!
//! **Invariant:** nothing in a document makes it panic.

use std::{fmt::Display, sync::Arc};

use gateway_api::experimental::gateways::Gateway;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::mesh::{
    object::{ObjectName, ObjectRef},
    report::Finding,
};

use super::{
    authorization::TargetRef,
    finding::{error, notice},
    objects::{Object, PeerAuthentication, Policy, Targets, UnreadTrafficPolicy},
    translate::check,
};

/// What became of a document.
#[derive(Debug)]
pub(super) enum Admission {
    /// An object.
    Object(ObjectRef, Object),
    /// Not a kind that we read.
    Ignored(ObjectRef, Finding),
    /// Not understood; `instead` is what is in force when there is no good version.
    Refused { object: ObjectRef, finding: Finding, instead: Option<Object> },
    /// Not even a name.
    Nameless(Finding),
}

impl Admission {
    /// What the document is about, if it has a name.
    pub(super) fn object(&self) -> Option<&ObjectRef> {
        match self {
            Self::Object(object, _) | Self::Ignored(object, _) | Self::Refused { object, .. } => {
                Some(object)
            }
            Self::Nameless(_) => None,
        }
    }
}

/// Admits or refuses a document; `place` says where it is, for findings.
pub(super) fn admit(document: Value, place: &str) -> Admission {
    let (Some(kind), Some(version)) = (text(&document, "kind"), text(&document, "apiVersion"))
    else {
        return Admission::Nameless(error(
            "NotAnObject",
            format!("{place}: a document without apiVersion or kind; it is left out"),
        ));
    };
    let Some(name) = document.get("metadata").and_then(|metadata| text(metadata, "name")) else {
        let message = format!("{place}: {kind} without metadata.name; it is left out");
        return Admission::Nameless(error("NameMissing", message));
    };
    let namespace = document
        .get("metadata")
        .and_then(|metadata| text(metadata, "namespace"))
        .unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
    let object = match kind.as_str() {
        "Namespace" | "Node" | "GatewayClass" => ObjectRef::new(kind, ObjectName::cluster(name)),
        _ => ObjectRef::new(kind, ObjectName::new(namespace, name)),
    };
    if !is_read(&version, &object.kind) {
        let finding = ignored(&version, &object.kind);
        return Admission::Ignored(object, finding);
    }
    let instead =
        unread_policy(&object, &document).or_else(|| unread_traffic_policy(&object, &document));
    match read(&object.kind, document) {
        Ok(Object::Gateway(read)) => gateway(object, read),
        Ok(read) => Admission::Object(object, read),
        Err(cause) => {
            let finding = error("Invalid", format!("{place}: {cause}"));
            Admission::Refused { object, finding, instead }
        }
    }
}

/// Whether objects of this version and kind are read.
fn is_read(version: &str, kind: &str) -> bool {
    matches!(
        (version, kind),
        ("v1", "Namespace" | "Node" | "Pod" | "Service")
            | ("discovery.k8s.io/v1", "EndpointSlice")
            | (
                "gateway.networking.k8s.io/v1" | "gateway.networking.k8s.io/v1beta1",
                "GatewayClass" | "Gateway" | "HTTPRoute" | "ReferenceGrant"
            )
            | ("gateway.networking.k8s.io/v1", "GRPCRoute" | "TLSRoute" | "TCPRoute")
            | ("gateway.networking.k8s.io/v1alpha2", "TLSRoute" | "TCPRoute")
            | ("gateway.networking.k8s.io/v1alpha3", "TLSRoute")
            | (
                "networking.istio.io/v1"
                    | "networking.istio.io/v1beta1"
                    | "networking.istio.io/v1alpha3",
                "ServiceEntry" | "WorkloadEntry"
            )
            | (
                "security.istio.io/v1" | "security.istio.io/v1beta1",
                "AuthorizationPolicy" | "PeerAuthentication"
            )
            | ("waypoint.dev/v1alpha1", "TrafficPolicy")
    )
}

/// Says that a kind is not read, and whether it would be in Istio.
fn ignored(version: &str, kind: &str) -> Finding {
    let group = version.split('/').next().unwrap_or_default();
    let meant = group.ends_with(".istio.io") || group == "gateway.networking.k8s.io";
    let message = if meant {
        format!("{version} {kind} is not supported yet; it is ignored")
    } else {
        format!("{version} {kind} is not read; it is ignored")
    };
    notice("Ignored", message)
}

/// Reads the object and checks what can be checked of it alone.
fn read(kind: &str, document: Value) -> Result<Object, String> {
    check::metadata(&document)?;
    Ok(match kind {
        "Namespace" => Object::Namespace(typed(document)?),
        "Node" => Object::Node(checked(document, check::node)?),
        "Pod" => Object::Pod(checked(document, check::pod)?),
        "Service" => Object::Service(checked(document, check::service)?),
        "EndpointSlice" => Object::EndpointSlice(checked(document, check::endpoint_slice)?),
        "GatewayClass" => Object::GatewayClass(typed(document)?),
        "Gateway" => Object::Gateway(typed(document)?),
        "HTTPRoute" => Object::HttpRoute(checked(document, check::http_route)?),
        "GRPCRoute" => Object::GrpcRoute(checked(document, check::grpc_route)?),
        "TLSRoute" => Object::TlsRoute(checked(named_or_all(document), check::tls_route)?),
        "TCPRoute" => Object::TcpRoute(checked(document, check::tcp_route)?),
        "ReferenceGrant" => Object::ReferenceGrant(typed(document)?),
        "ServiceEntry" => Object::ServiceEntry(checked(document, check::service_entry)?),
        "WorkloadEntry" => Object::WorkloadEntry(checked(document, check::workload_entry)?),
        "TrafficPolicy" => Object::TrafficPolicy(checked(document, check::traffic_policy)?),
        "PeerAuthentication" => {
            let object = checked(document, check::peer_authentication)?;
            Object::PeerAuthentication(PeerAuthentication::Read(object))
        }
        _ => Object::Policy(Policy::Read(checked(document, check::policy)?)),
    })
}

/// A Gateway. One whose listeners are not understood stands in for itself where there is no good
/// version of it: translation makes no waypoint of it that is ready, and whoever writes its status
/// can say what is wrong.
fn gateway(object: ObjectRef, read: Arc<Gateway>) -> Admission {
    match check::gateway(&read) {
        Ok(()) => Admission::Object(object, Object::Gateway(read)),
        Err(cause) => {
            // Without the place: a status that named a version would make another one.
            let finding = error(check::LISTENERS_NOT_VALID, cause.to_string());
            Admission::Refused { object, finding, instead: Some(Object::Gateway(read)) }
        }
    }
}

/// A TLSRoute as the newest version has it; older ones let it name no server, and so mean all.
fn named_or_all(mut document: Value) -> Value {
    if let Some(spec) = document.get_mut("spec").and_then(Value::as_object_mut) {
        spec.entry("hostnames").or_insert_with(|| Value::Array(Vec::new()));
    }
    document
}

/// Reads and checks.
fn checked<T: DeserializeOwned, E: Display>(
    document: Value,
    check: impl FnOnce(&T) -> Result<(), E>,
) -> Result<Arc<T>, String> {
    let object = typed(document)?;
    check(&object).map_err(|error| error.to_string())?;
    Ok(object)
}

/// Reads.
fn typed<T: DeserializeOwned>(document: Value) -> Result<Arc<T>, String> {
    serde_json::from_value(document).map(Arc::new).map_err(|error| error.to_string())
}

/// What stands in for a policy that is not understood: a denial of whatever it is attached to.
fn unread_policy(object: &ObjectRef, document: &Value) -> Option<Object> {
    if object.kind == PEER_AUTHENTICATION {
        let selector = document.get("spec").and_then(|spec| spec.get("selector"));
        let unread = PeerAuthentication::Unread(selector.cloned());
        return Some(Object::PeerAuthentication(unread));
    }
    if object.kind != POLICY {
        return None;
    }
    let targets = match document.get("spec") {
        Some(Value::Object(spec)) => match (spec.get("targetRefs"), spec.get("targetRef")) {
            (Some(refs), _) if !is_nothing(refs) => {
                known(refs.as_array().map_or(&[], Vec::as_slice))
            }
            (_, Some(one)) if !one.is_null() => known(std::slice::from_ref(one)),
            _ => Targets::Pods(spec.get("selector").cloned()),
        },
        None | Some(Value::Null) => Targets::Pods(None),
        Some(_) => Targets::Everything,
    };
    Some(Object::Policy(Policy::Unread(targets)))
}

/// What is kept of a TrafficPolicy that is not understood, so that its status can say so.
fn unread_traffic_policy(object: &ObjectRef, document: &Value) -> Option<Object> {
    if object.kind != TRAFFIC_POLICY {
        return None;
    }
    let part = |key: &str| document.get(key).cloned().unwrap_or_default();
    let targets = document.pointer("/spec/targetRefs").and_then(Value::as_array);
    let targets = targets.into_iter().flatten();
    let targets = targets.filter_map(|one| serde_json::from_value(one.clone()).ok()).collect();
    let metadata = serde_json::from_value(part("metadata")).ok()?;
    let unread = UnreadTrafficPolicy { metadata, targets, status: part("status") };
    Some(Object::UnreadTrafficPolicy(Arc::new(unread)))
}

/// Whether a list is not there or has nothing in it.
fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

/// The targets among these that can be read.
fn known(refs: &[Value]) -> Targets {
    let targets: Vec<TargetRef> =
        refs.iter().filter_map(|one| serde_json::from_value(one.clone()).ok()).collect();
    if targets.is_empty() || targets.len() < refs.len() {
        Targets::Unknown
    } else {
        Targets::Known(targets)
    }
}

/// A field that is text and not empty.
fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The namespace of objects that name none.
pub(super) const DEFAULT_NAMESPACE: &str = "default";
/// The kind of ours.
const TRAFFIC_POLICY: &str = "TrafficPolicy";
/// The kind of security policies.
const POLICY: &str = "AuthorizationPolicy";
/// The kind that says where mutual TLS is asked for.
const PEER_AUTHENTICATION: &str = "PeerAuthentication";
