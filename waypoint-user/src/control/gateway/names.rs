//! What the objects of a Gateway are called, and what labels, annotations and owner they have
//! (Istio `pilot/pkg/config/kube/gatewaycommon/deploymentcontroller.go`).
//!
//! **Invariant:** keys of the Gateway API are ours to set: what a person writes under them is
//! dropped.

use gateway_api::experimental::gateways::Gateway;
use serde_json::{Map, Value, json};

use crate::mesh::{
    label::{GATEWAY_NAME, Labels, MANAGED},
    object::ObjectName,
};

/// The value of label `gateway.istio.io/managed` of what we make.
pub(super) const MANAGED_BY: &str = "istio.io-mesh-controller";
/// Label of what we make: the class of the Gateway.
pub(super) const GATEWAY_CLASS_NAME: &str = "gateway.networking.k8s.io/gateway-class-name";
/// Annotation on Gateway: the name of what we make for it, instead of its own.
pub(super) const NAME_OVERRIDE: &str = "gateway.istio.io/name-override";
/// Annotation on Gateway: the service account of its pods, instead of one of its name.
pub(super) const SERVICE_ACCOUNT: &str = "gateway.istio.io/service-account";

/// Annotation on Gateway: the type of its Service.
pub(super) const SERVICE_TYPE: &str = "networking.istio.io/service-type";

/// What a Gateway and everything made for it have in common.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// The Gateway.
    pub(super) gateway: ObjectName,
    /// The name of Deployment, Service, autoscaler and disruption budget.
    pub(super) object: ObjectName,
    /// The name of the service account.
    pub(super) account: ObjectName,
    /// Labels of everything.
    pub(super) labels: Labels,
    /// Annotations of everything.
    pub(super) annotations: Labels,
    /// The Gateway as an owner.
    pub(super) owner: Value,
    /// The type of its Service, if one is asked for.
    pub(super) service_type: Option<String>,
}

impl Names {
    /// Those of this Gateway.
    pub(super) fn of(gateway: &Gateway) -> Self {
        let meta = &gateway.metadata;
        let own = |labels: &Option<Labels>| labels.clone().unwrap_or_default();
        let asked = |key| meta.annotations.as_ref().and_then(|all| all.get(key));
        let name = meta.name.clone().unwrap_or_default();
        let namespace = meta.namespace.clone().unwrap_or_default();
        let object = asked(NAME_OVERRIDE).unwrap_or(&name).clone();
        let account = asked(SERVICE_ACCOUNT).unwrap_or(&object).clone();
        let infrastructure = gateway.spec.infrastructure.as_ref();
        let (labels, annotations) = match infrastructure {
            Some(asked) => (own(&asked.labels), own(&asked.annotations)),
            None => (own(&meta.labels), own(&meta.annotations)),
        };
        let mut labels = inherited(labels);
        labels.insert(GATEWAY_NAME.to_owned(), name.clone());
        labels.insert(GATEWAY_CLASS_NAME.to_owned(), gateway.spec.gateway_class_name.clone());
        labels.insert(MANAGED.to_owned(), MANAGED_BY.to_owned());
        let uid = meta.uid.clone().unwrap_or_default();
        let service_type = asked(SERVICE_TYPE).cloned();
        Self {
            service_type,
            object: ObjectName::new(&namespace, object),
            account: ObjectName::new(&namespace, account),
            labels,
            annotations: inherited(annotations),
            owner: json!({
                "apiVersion": "gateway.networking.k8s.io/v1",
                "kind": "Gateway",
                "name": name,
                "uid": uid,
            }),
            gateway: ObjectName::new(namespace, name),
        }
    }

    /// Metadata with these labels and annotations.
    pub(super) fn metadata(&self, annotations: &Labels) -> Value {
        let mut metadata = Map::from_iter([
            ("labels".to_owned(), json!(self.labels)),
            ("ownerReferences".to_owned(), json!([self.owner])),
        ]);
        if !annotations.is_empty() {
            metadata.insert("annotations".to_owned(), json!(annotations));
        }
        Value::Object(metadata)
    }

    /// The name of the binding by which the pods may read the mesh.
    pub(super) fn binding(&self) -> ObjectName {
        ObjectName::cluster(format!("{READER}:{}:{}", self.gateway.namespace, self.gateway.name))
    }

    /// What selects the pods.
    pub(super) fn selector(&self) -> Value {
        json!({ GATEWAY_NAME: self.gateway.name })
    }

    /// Whether a person named the service account, so that it may be one of theirs.
    pub(super) fn has_account_of_its_own(gateway: &Gateway) -> bool {
        let annotations = gateway.metadata.annotations.as_ref();
        annotations.is_some_and(|all| all.contains_key(SERVICE_ACCOUNT))
    }
}

/// What is handed on to what we make.
fn inherited(mut all: Labels) -> Labels {
    all.retain(|key, _| !key.starts_with(GATEWAY_API) && !NOT_INHERITED.contains(&key.as_str()));
    all
}

/// The ClusterRole of waypoints, which the deployment brings along.
pub(super) const READER: &str = "waypoint-proxy";
/// Label of what we make outside namespaces: the namespace of the Gateway.
pub(super) const GATEWAY_NAMESPACE: &str = "waypoint.dev/gateway-namespace";
/// Keys that only we write.
const GATEWAY_API: &str = "gateway.networking.k8s.io/";
/// Keys that are about the Gateway itself.
const NOT_INHERITED: [&str; 4] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "gateway.istio.io/controller-version",
    NAME_OVERRIDE,
    SERVICE_ACCOUNT,
];
