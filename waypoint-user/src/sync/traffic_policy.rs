//! TrafficPolicy as it is written: Waypoint's own kind, for what the Gateway API has no field for.
//!
//! Its CustomResourceDefinition is made from these types, comments included; `waypointctl`
//! prints it. It says nothing of meaning; `translate::traffic_policies` does.
//!
//! **Invariant:** a field that is not known is an error: a limit that was misspelt is no limit.

pub mod balancing;
pub mod limits;
pub mod resilience;

use kube::{CustomResource, CustomResourceExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::{
    balancing::{CircuitBreaker, LoadBalancing, OutlierDetection},
    limits::{Fault, RateLimit},
    resilience::{Hedging, Retry, Timeouts},
};

/// How requests to its targets are balanced, limited, repeated and cut off.
#[derive(CustomResource, Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "waypoint.dev",
    version = "v1alpha1",
    kind = "TrafficPolicy",
    plural = "trafficpolicies",
    namespaced,
    doc = "How requests to its targets are balanced, limited, repeated and cut off.",
    status = "TrafficPolicyStatus",
    category = "gateway-api",
    printcolumn = r#"{"name": "Accepted", "type": "string",
        "jsonPath": ".status.ancestors[0].conditions[?(@.type==\"Accepted\")].status"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TrafficPolicySpec {
    /// What the policy is attached to, in its own namespace. The most specific policy counts, and
    /// it counts whole: a rule of a route before the route, the route before a port of the Service,
    /// the port before the Service or ServiceEntry, and these before the waypoint's Gateway. Of
    /// policies that are attached to the same target the oldest counts.
    #[schemars(length(min = 1, max = TARGETS_MAX))]
    pub target_refs: Vec<TargetRef>,
    /// Which endpoint takes a request. Only for Services, ServiceEntries and Gateways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_balancing: Option<LoadBalancing>,
    /// What is open to the endpoints at most. Only for Services, ServiceEntries and Gateways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit_breaker: Option<CircuitBreaker>,
    /// Which endpoints are left out for a while. Only for Services, ServiceEntries and Gateways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outlier_detection: Option<OutlierDetection>,
    /// Which requests are sent again. Not for TLSRoutes and TCPRoutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// Which requests are sent a second time before the first is answered. Not for TLSRoutes and
    /// TCPRoutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hedging: Option<Hedging>,
    /// How long things may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<Timeouts>,
    /// How many requests may come; each limit must let a request pass. Not for TLSRoutes and
    /// TCPRoutes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = RATE_LIMITS_MAX))]
    pub rate_limits: Vec<RateLimit>,
    /// What goes wrong on purpose. Not for TLSRoutes and TCPRoutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

/// What a policy is attached to, in its own namespace.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TargetRef {
    /// The API group; empty for the core.
    #[serde(default)]
    #[schemars(length(max = 253))]
    pub group: String,
    /// The kind: Service, ServiceEntry, HTTPRoute, GRPCRoute, TLSRoute, TCPRoute or Gateway.
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
    /// The name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The rule of a route by its name, or the port of a Service by its name or number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub section_name: Option<String>,
}

/// What controllers found out about a policy.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct TrafficPolicyStatus {
    /// One entry for each target and controller.
    #[schemars(length(max = TARGETS_MAX))]
    pub ancestors: Vec<Ancestor>,
}

/// What a controller says of one target.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Ancestor {
    /// The target.
    pub ancestor_ref: AncestorRef,
    /// Who says so.
    pub controller_name: String,
    /// What it says.
    pub conditions: Vec<AncestorCondition>,
}

/// A target, as a status names it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct AncestorRef {
    /// The API group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The namespace, where it is not the policy's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
    /// The rule or the port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,
    /// The port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
}

/// A condition, as every status has them.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct AncestorCondition {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// True, False or Unknown.
    pub status: String,
    /// One CamelCase word.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// Since when.
    pub last_transition_time: String,
    /// The generation of the policy that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// Most targets of a policy.
pub(super) const TARGETS_MAX: usize = 16;
/// Most limits of a policy.
pub(super) const RATE_LIMITS_MAX: usize = 8;

/// The CustomResourceDefinition, as the API server takes it.
pub fn definition() -> Value {
    let mut definition = serde_json::to_value(TrafficPolicy::crd()).unwrap_or_default();
    forget_formats(&mut definition);
    definition
}

/// Takes away formats that API servers do not know and would warn of; ranges say the same.
fn forget_formats(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, value| {
                let unknown = value.as_str().is_some_and(|format| format.starts_with("uint"));
                key != "format" || !unknown
            });
            fields.values_mut().for_each(forget_formats);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_formats),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
