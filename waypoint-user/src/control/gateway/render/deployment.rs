//! The Deployment of a waypoint.

use serde_json::{Value, json};

use crate::{
    control::gateway::names::Names,
    mesh::label::{DATAPLANE_MODE, Labels},
};

use super::{Inputs, pod};

/// It has no `replicas`, so that nobody who scales it is fought.
pub(super) fn deployment(names: &Names, inputs: &Inputs<'_>) -> Value {
    json!({
        "metadata": names.metadata(&names.annotations),
        "spec": {
            "selector": { "matchLabels": names.selector() },
            // A new pod is ready before an old one goes.
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 },
            },
            "template": {
                "metadata": {
                    "labels": pod_labels(names),
                    "annotations": pod_annotations(names, inputs.revision),
                },
                "spec": pod::spec(names, inputs.settings),
            },
        },
    })
}

fn pod_labels(names: &Names) -> Labels {
    let mut labels = names.labels.clone();
    let fixed = [
        ("sidecar.istio.io/inject", "false"),
        // A waypoint's own connections are not captured.
        (DATAPLANE_MODE, "none"),
        ("service.istio.io/canonical-name", names.object.name.as_str()),
        ("service.istio.io/canonical-revision", "latest"),
    ];
    labels.extend(fixed.map(|(key, value)| (key.to_owned(), value.to_owned())));
    labels
}

fn pod_annotations(names: &Names, revision: &str) -> Labels {
    let mut annotations = names.annotations.clone();
    let fixed = [
        ("istio.io/rev", revision.to_owned()),
        ("prometheus.io/path", "/stats/prometheus".to_owned()),
        ("prometheus.io/port", pod::METRICS_PORT.to_string()),
        ("prometheus.io/scrape", "true".to_owned()),
    ];
    annotations.extend(fixed.map(|(key, value)| (key.to_owned(), value)));
    annotations
}
