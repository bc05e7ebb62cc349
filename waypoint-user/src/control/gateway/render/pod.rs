//! The pod of a waypoint: what `waypointd proxy` runs in.
//!
//! **Invariant:** it is admitted by the Pod Security Standard `restricted`.

use serde_json::{Value, json};

use crate::control::{gateway::names::Names, run::Settings};

/// Where pods take HBONE.
pub(super) const HBONE_PORT: u16 = 15008;
/// Where they show metrics.
pub(super) const METRICS_PORT: u16 = 15020;
/// Where they say whether they are ready.
pub(super) const STATUS_PORT: u16 = 15021;

/// The pod.
pub(super) fn spec(names: &Names, settings: &Settings) -> Value {
    json!({
        "serviceAccountName": names.account.name,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": USER,
            "runAsGroup": USER,
            "seccompProfile": { "type": "RuntimeDefault" },
        },
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        // Spread over nodes as far as that is possible.
        "topologySpreadConstraints": [{
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": { "matchLabels": names.selector() },
        }],
        "containers": [container(names, settings)],
        "volumes": [
            {
                "name": "istio-token",
                "projected": { "sources": [{ "serviceAccountToken": {
                    "audience": TOKEN_AUDIENCE,
                    "expirationSeconds": TOKEN_SECONDS,
                    "path": "istio-token",
                } }] },
            },
            { "name": "waypoint-ca-root-cert", "configMap": { "name": ROOT_CONFIG_MAP } },
        ],
    })
}

fn container(names: &Names, settings: &Settings) -> Value {
    let probe = json!({ "path": "/healthz/ready", "port": STATUS_PORT, "scheme": "HTTP" });
    json!({
        "name": CONTAINER,
        "image": settings.waypoint_image,
        "imagePullPolicy": "IfNotPresent",
        "args": arguments(names, settings),
        "env": [
            from_field("POD_NAME", "metadata.name"),
            from_field("POD_NAMESPACE", "metadata.namespace"),
        ],
        "ports": [
            { "name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP" },
            { "name": "status-port", "containerPort": STATUS_PORT, "protocol": "TCP" },
        ],
        "startupProbe": {
            "httpGet": probe, "periodSeconds": 1, "failureThreshold": 30, "timeoutSeconds": 1,
        },
        "readinessProbe": {
            "httpGet": probe, "periodSeconds": 15, "failureThreshold": 4, "timeoutSeconds": 1,
        },
        "resources": {
            "requests": { "cpu": "100m", "memory": "128Mi" },
            "limits": { "cpu": "2", "memory": "1Gi" },
        },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "privileged": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
        },
        "volumeMounts": [
            { "name": "istio-token", "mountPath": TOKEN_FOLDER, "readOnly": true },
            { "name": "waypoint-ca-root-cert", "mountPath": ROOT_FOLDER, "readOnly": true },
        ],
    })
}

fn arguments(names: &Names, settings: &Settings) -> Vec<String> {
    let mesh = &settings.mesh;
    let mut arguments = vec![
        "proxy".to_owned(),
        format!("--gateway={}", names.gateway),
        "--pod=$(POD_NAMESPACE)/$(POD_NAME)".to_owned(),
        format!("--ca-address={}", settings.ca_address),
        format!("--ca-root={ROOT_FOLDER}/{ROOT_KEY}"),
        format!("--ca-token={TOKEN_FOLDER}/istio-token"),
        format!("--trust-domain={}", mesh.trust_domain),
        format!("--cluster-domain={}", mesh.cluster_domain),
        format!("--root-namespace={}", mesh.root_namespace),
        format!("--metrics-listen=[::]:{METRICS_PORT}"),
        format!("--status-listen=[::]:{STATUS_PORT}"),
        format!("--drain-seconds={DRAIN_SECONDS}"),
    ];
    if let Some(tracing) = &settings.tracing {
        arguments.push(format!("--tracing-endpoint={}", tracing.endpoint));
        arguments.push(format!("--tracing-protocol={}", tracing.protocol.as_str()));
        arguments.push(format!("--tracing-sampling={}", tracing.rate));
        arguments.extend(tracing.roots.iter().map(|at| format!("--tracing-ca={}", at.display())));
    }
    arguments
}

/// A variable with a field of the pod; the API server adds the version where it is left out.
fn from_field(name: &str, field: &str) -> Value {
    json!({
        "name": name,
        "valueFrom": { "fieldRef": { "apiVersion": "v1", "fieldPath": field } },
    })
}

/// The container, called as in Istio, so that overlays made for it fit.
const CONTAINER: &str = "istio-proxy";
/// Istio's user of proxies.
const USER: u32 = 1337;
/// How long open connections may go on.
const DRAIN_SECONDS: u32 = 30;
/// That, and time to say goodbye.
const GRACE_SECONDS: u32 = DRAIN_SECONDS + 15;
/// How long a token proves who asks for certificates.
const TOKEN_SECONDS: u32 = 43_200;
/// Where the token is.
const TOKEN_FOLDER: &str = "/var/run/secrets/tokens";
/// Where the authority's roots are.
const ROOT_FOLDER: &str = "/var/run/secrets/waypoint";
/// The ConfigMap of the authority's roots, which every namespace has.
const ROOT_CONFIG_MAP: &str = "waypoint-ca-root-cert";
/// Its key.
const ROOT_KEY: &str = "root-cert.pem";
/// Whom tokens are for.
const TOKEN_AUDIENCE: &str = "istio-ca";
