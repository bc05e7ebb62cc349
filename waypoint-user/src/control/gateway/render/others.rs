//! What a waypoint needs besides its pods.

use serde_json::{Value, json};

use crate::{
    control::{
        gateway::names::{GATEWAY_NAMESPACE, MANAGED_BY, Names, READER, SERVICE_TYPE},
        kind::{CLUSTER_ROLE_BINDING, SERVICE_ACCOUNT},
    },
    mesh::label::{GATEWAY_NAME, MANAGED, TRAFFIC_DISTRIBUTION},
};

use super::pod::{HBONE_PORT, STATUS_PORT};

/// Who the pods are.
pub(super) fn service_account(names: &Names) -> Value {
    json!({ "metadata": names.metadata(&names.annotations) })
}

/// That the pods may read the mesh. It is in no namespace, so that no Gateway can own it.
pub(super) fn binding(names: &Names) -> Value {
    let Names { gateway, account, .. } = names;
    json!({
        "metadata": { "labels": {
            MANAGED: MANAGED_BY,
            GATEWAY_NAME: gateway.name,
            GATEWAY_NAMESPACE: gateway.namespace,
        } },
        "roleRef": {
            "apiGroup": CLUSTER_ROLE_BINDING.group,
            "kind": "ClusterRole",
            "name": READER,
        },
        "subjects": [{
            "kind": SERVICE_ACCOUNT.name,
            "name": account.name,
            "namespace": account.namespace,
        }],
    })
}

/// Where the waypoint is reached.
pub(super) fn service(names: &Names) -> Result<Value, String> {
    let kind = names.service_type.as_deref().unwrap_or("ClusterIP");
    if !SERVICE_TYPES.contains(&kind) {
        let types = SERVICE_TYPES.join(", ");
        return Err(format!("annotation {SERVICE_TYPE}: {kind:?} is none of {types}"));
    }
    let mut annotations = names.annotations.clone();
    // A waypoint nearby is as good as another.
    annotations.entry(TRAFFIC_DISTRIBUTION.to_owned()).or_insert_with(|| "PreferClose".to_owned());
    Ok(json!({
        "metadata": names.metadata(&annotations),
        "spec": {
            "type": kind,
            "ipFamilyPolicy": "PreferDualStack",
            "selector": names.selector(),
            "ports": [
                {
                    "name": "status-port", "port": STATUS_PORT, "protocol": "TCP",
                    "appProtocol": "tcp",
                },
                { "name": "mesh", "port": HBONE_PORT, "protocol": "TCP", "appProtocol": "all" },
            ],
        },
    }))
}

/// How many pods there are, if that is to follow their load.
pub(super) fn autoscaler(names: &Names) -> Value {
    json!({
        "metadata": names.metadata(&names.annotations),
        "spec": {
            "maxReplicas": 1,
            "scaleTargetRef": {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": names.object.name,
            },
        },
    })
}

/// How many pods may be taken away at once, if that is limited.
pub(super) fn disruption_budget(names: &Names) -> Value {
    json!({
        "metadata": names.metadata(&names.annotations),
        "spec": { "selector": { "matchLabels": names.selector() } },
    })
}

/// What a Service that connections find a waypoint by may be.
const SERVICE_TYPES: [&str; 3] = ["ClusterIP", "NodePort", "LoadBalancer"];
