//! What a waypoint needs besides its pods.

use serde_json::{Value, json};

use crate::{control::gateway::names::Names, mesh::label::TRAFFIC_DISTRIBUTION};

use super::pod::{HBONE_PORT, STATUS_PORT};

/// Who the pods are.
pub(super) fn service_account(names: &Names) -> Value {
    json!({ "metadata": names.metadata(&names.annotations) })
}

/// Where the waypoint is reached.
pub(super) fn service(names: &Names) -> Value {
    let mut annotations = names.annotations.clone();
    // A waypoint nearby is as good as another.
    annotations.entry(TRAFFIC_DISTRIBUTION.to_owned()).or_insert_with(|| "PreferClose".to_owned());
    json!({
        "metadata": names.metadata(&annotations),
        "spec": {
            "type": "ClusterIP",
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
    })
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
