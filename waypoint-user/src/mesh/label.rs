//! Keys of labels and annotations that we read, and label selectors.
//!
//! Sources: Istio `api/label/labels.yaml` and `api/annotation/annotations.yaml`; every key under
//! `waypoint.dev/` is ours and is an annotation.

use std::collections::BTreeMap;

/// Labels or annotations of an object.
pub type Labels = BTreeMap<String, String>;

/// Label on Namespace and Pod: `ambient` enrols, `none` opts out.
pub const DATAPLANE_MODE: &str = "istio.io/dataplane-mode";
/// Label on Namespace, Service and Pod: the waypoint's name, or `none`.
pub const USE_WAYPOINT: &str = "istio.io/use-waypoint";
/// Label beside [`USE_WAYPOINT`]: the waypoint's namespace.
pub const USE_WAYPOINT_NAMESPACE: &str = "istio.io/use-waypoint-namespace";
/// Label on Namespace and Service: a second waypoint, which takes a share of the connections.
pub const CANARY: &str = "istio.io/use-waypoint-canary";
/// Label beside [`CANARY`]: the second waypoint's namespace.
pub const CANARY_NAMESPACE: &str = "istio.io/use-waypoint-canary-namespace";
/// Annotation beside [`CANARY`]: its share, of a hundred.
pub const CANARY_WEIGHT: &str = "istio.io/use-waypoint-canary-weight";
/// Label on Namespace and Service: whether ingress gateways go through the waypoint.
pub const INGRESS_USE_WAYPOINT: &str = "istio.io/ingress-use-waypoint";
/// Annotation on Gateway and GatewayClass: `NONE` or `PROXY`, and perhaps `/port`.
pub const INBOUND_BINDING: &str = "ambient.istio.io/waypoint-inbound-binding";
/// Label on Gateway and GatewayClass: the traffic the waypoint takes.
pub const WAYPOINT_FOR: &str = "istio.io/waypoint-for";
/// Annotation on Gateway (Istio 1.18): the service account of its namespace for whose pods it
/// stands without a label.
pub const FOR_SERVICE_ACCOUNT: &str = "istio.io/for-service-account";
/// Label on Namespace and Gateway: the revision of the controller that serves them.
pub const REVISION: &str = "istio.io/rev";
/// Label on generated objects: which controller made them.
pub const MANAGED: &str = "gateway.istio.io/managed";
/// Label on pods that are instances of a Gateway.
pub const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";
/// Annotation of a pod that has a sidecar.
pub const SIDECAR_STATUS: &str = "sidecar.istio.io/status";
/// Annotation on AuthorizationPolicy: evaluate without enforcing.
pub const DRY_RUN: &str = "istio.io/dry-run";
/// Label on EndpointSlice: the Service it belongs to.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// Annotation on Pod: where its network namespace is, without a container runtime to ask.
pub const NETNS: &str = "waypoint.dev/netns";
/// Annotation on Pod that agents write: its connections are captured.
pub const REDIRECTION: &str = "ambient.istio.io/redirection";
/// The value of [`REDIRECTION`].
pub const REDIRECTION_ENABLED: &str = "enabled";
/// Annotation on Gateway, Service and Namespace: `open` or `closed`.
pub const FAIL_MODE: &str = "waypoint.dev/fail-mode";
/// Annotation on Gateway: `node` runs the waypoint in the agent of the client's node.
pub const PLACEMENT: &str = "waypoint.dev/placement";
/// Annotation on Gateway, Service, Namespace and Pod: `count`, `strict` or `off`.
pub const ADMISSION: &str = "waypoint.dev/admission";
/// Annotation on Gateway, Service, Namespace and Pod: ports that [`ADMISSION`] leaves alone.
pub const ADMISSION_EXCLUDE_PORTS: &str = "waypoint.dev/admission-exclude-ports";
/// Label on Node: its region.
pub const REGION: &str = "topology.kubernetes.io/region";
/// Label on Node: its zone.
pub const ZONE: &str = "topology.kubernetes.io/zone";
/// Annotation on Service and Namespace: which endpoints are preferred, by where they are.
pub const TRAFFIC_DISTRIBUTION: &str = "networking.istio.io/traffic-distribution";

/// Controller name of GatewayClasses that make waypoints.
pub const WAYPOINT_CONTROLLER: &str = "istio.io/mesh-controller";
/// The GatewayClass of waypoints; it exists even where nobody made it.
pub const WAYPOINT_CLASS: &str = "istio-waypoint";
/// The value of [`USE_WAYPOINT`] that means no waypoint.
pub const NO_WAYPOINT: &str = "none";

/// A Kubernetes label selector (`metav1.LabelSelector`): all requirements together.
#[derive(Clone, Debug, Default, Eq, PartialEq, Hash)]
pub struct Selector {
    /// What labels must fulfil; none selects everything.
    pub requirements: Vec<Requirement>,
}

/// One requirement of a [`Selector`].
#[derive(Clone, Debug, Eq, PartialEq, Hash)]
pub enum Requirement {
    /// The key has one of the values.
    In(String, Vec<String>),
    /// The key is absent or has none of the values.
    NotIn(String, Vec<String>),
    /// The key is present.
    Exists(String),
    /// The key is absent.
    DoesNotExist(String),
}

impl Selector {
    /// Selects objects that carry all of these labels.
    pub fn equals(labels: &Labels) -> Self {
        let requirements = labels
            .iter()
            .map(|(key, value)| Requirement::In(key.clone(), vec![value.clone()]))
            .collect();
        Self { requirements }
    }

    /// Whether the labels fulfil every requirement.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.requirements.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => {
                labels.get(key).is_some_and(|value| values.contains(value))
            }
            Requirement::NotIn(key, values) => {
                labels.get(key).is_none_or(|value| !values.contains(value))
            }
            Requirement::Exists(key) => labels.contains_key(key),
            Requirement::DoesNotExist(key) => !labels.contains_key(key),
        })
    }
}

#[cfg(test)]
mod tests;
