//! A cluster with many pods, which nobody runs.
//!
//! It measures nothing.

use std::{cell::Cell, time::Instant};

use anyhow::{Context, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use waypoint_user::sync::cluster::{Access, connect};

use crate::kube::ControlPlane;

use super::follower::{NODE, WAYPOINT_NAMESPACE};

/// What is sent to the API server.
struct Write {
    method: &'static str,
    path: String,
    body: Value,
}

impl Write {
    fn create(path: String, body: Value) -> Self {
        Self { method: "POST", path, body }
    }

    fn merge(path: String, body: Value) -> Self {
        Self { method: "PATCH", path, body }
    }
}

/// The cluster, as whoever fills it sees it.
pub(super) struct Cluster {
    runtime: Runtime,
    send: Box<dyn Fn(Write) -> Sending>,
    services: Cell<usize>,
    /// How many labels were changed.
    changes: Cell<usize>,
}

type Sending = futures_util::future::BoxFuture<'static, Result<()>>;

impl Cluster {
    /// Reaches a control plane.
    pub(super) fn connect(plane: &ControlPlane) -> Result<Self> {
        let access = Access { kubeconfig: Some(plane.kubeconfig().to_owned()), context: None };
        let runtime = Runtime::new()?;
        let client = runtime.block_on(connect(&access))?;
        let send = move |write: Write| -> Sending {
            let client = client.clone();
            Box::pin(async move {
                let kind = match write.method {
                    "PATCH" => "application/merge-patch+json",
                    _ => "application/json",
                };
                let request = http::Request::builder()
                    .method(write.method)
                    .uri(&write.path)
                    .header("content-type", kind)
                    .body(write.body.to_string().into_bytes())?;
                client.request_text(request).await.with_context(|| write.path)?;
                Ok(())
            })
        };
        let (services, changes) = (Cell::new(0), Cell::new(0));
        Ok(Self { runtime, send: Box::new(send), services, changes })
    }

    /// Makes the waypoint that Services are bound to.
    pub(super) fn prepare(&self) -> Result<()> {
        let gateways = format!("{GATEWAY_API}/namespaces/{WAYPOINT_NAMESPACE}/gateways");
        let class = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass",
            "metadata": {"name": "istio-waypoint"},
            "spec": {"controllerName": "istio.io/mesh-controller"},
        });
        let gateway = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": {"name": "waypoint"},
            "spec": {"gatewayClassName": "istio-waypoint", "listeners": [{
                "name": "mesh", "port": 15008, "protocol": "HBONE",
                "allowedRoutes": {"namespaces": {"from": "All"}},
            }]},
        });
        let addresses = json!([{"type": "IPAddress", "value": "10.2.0.1"}]);
        let status = json!({"status": {"addresses": addresses}});
        self.make_namespace(WAYPOINT_NAMESPACE)?;
        self.write([Write::create(format!("{GATEWAY_API}/gatewayclasses"), class)])?;
        self.write([Write::create(gateways.clone(), gateway)])?;
        self.write([Write::merge(format!("{gateways}/waypoint/status"), status)])
    }

    /// Makes so many pods, and what stands before them.
    pub(super) fn fill(&self, pods: usize) -> Result<()> {
        let services = pods.div_ceil(PODS_PER_SERVICE);
        self.services.set(services);
        for number in 0..services.div_ceil(SERVICES_PER_NAMESPACE) {
            self.make_namespace(&format!("n-{number}"))?;
        }
        self.write(shown("pods", (0..pods).map(pod)))?;
        self.write(shown("pods' status", (0..pods).map(running)))?;
        self.write(shown("Services", (0..services).map(service)))?;
        self.write(shown("EndpointSlices", (0..services).map(|service| slice(service, pods))))
    }

    /// The Service of the next change, and whether that binds it: every change is of another one.
    pub(super) fn toggle(&self) -> (String, bool) {
        let change = self.changes.replace(self.changes.get() + 1);
        let service = (change * 7) % self.services.get().max(1);
        let round = change / self.services.get().max(1);
        (format!("s-{service}"), round % 2 == 1)
    }

    /// Binds a Service, or does not any more.
    pub(super) fn bind(&self, service: &str, is_bound: bool) -> Result<()> {
        let number = service.strip_prefix("s-").context("no Service of ours")?.parse()?;
        let waypoint = if is_bound { json!("waypoint") } else { Value::Null };
        let labels = json!({"istio.io/use-waypoint": waypoint});
        let path = format!("/api/v1/namespaces/{}/services/{service}", home(number));
        self.write([Write::merge(path, json!({"metadata": {"labels": labels}}))])
    }

    /// Makes an enrolled namespace, and the account without which there can be no pods.
    fn make_namespace(&self, name: &str) -> Result<()> {
        let labels = json!({"istio.io/dataplane-mode": "ambient"});
        let own = json!({"metadata": {"name": name, "labels": labels}});
        self.write([Write::create("/api/v1/namespaces".to_owned(), own)])?;
        let accounts = format!("/api/v1/namespaces/{name}/serviceaccounts");
        self.write([Write::create(accounts, json!({"metadata": {"name": "default"}}))])
    }

    /// Sends, many at a time.
    fn write(&self, writes: impl IntoIterator<Item = Write>) -> Result<()> {
        let sent = stream::iter(writes).map(|write| (self.send)(write));
        self.runtime.block_on(sent.buffer_unordered(AT_ONCE).try_collect::<()>())
    }
}

/// The same writes; whoever watches sees how many were sent.
fn shown(what: &str, writes: impl ExactSizeIterator<Item = Write>) -> impl Iterator<Item = Write> {
    let (count, began) = (writes.len(), Instant::now());
    let step = count.div_ceil(STEPS).max(STEP_MIN);
    writes.enumerate().map(move |(number, write)| {
        let number = number + 1;
        if number.is_multiple_of(step) || number == count {
            eprintln!("{what}: {number} of {count}, {:.0} s", began.elapsed().as_secs_f64());
        }
        write
    })
}

/// The namespace of a Service and its pods.
fn home(service: usize) -> String {
    format!("n-{}", service / SERVICES_PER_NAMESPACE)
}

fn address(pod: usize) -> String {
    format!("10.{}.{}.{}", 128 + pod / 65536, (pod / 256) % 256, pod % 256)
}

fn pod(number: usize) -> Write {
    let service = number / PODS_PER_SERVICE;
    let node = format!("node-{}", number % NODES);
    // Nobody runs them: an agent looks for its own in vain.
    let is_left_alone = node == NODE && number / NODES % 2 == 1;
    let mode = if is_left_alone { "none" } else { "ambient" };
    let labels = json!({
        "app": format!("s-{service}"), "version": "v1", "istio.io/dataplane-mode": mode,
    });
    let container = json!({
        "name": "app", "image": "registry.example/shop/app:1.0",
        "env": [{"name": "A", "value": "b"}], "ports": [{"name": "http", "containerPort": 8080}],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
    });
    let body = json!({
        "metadata": {"name": format!("p-{number}"), "labels": labels},
        "spec": {"nodeName": node, "containers": [container]},
    });
    Write::create(format!("/api/v1/namespaces/{}/pods", home(service)), body)
}

fn running(number: usize) -> Write {
    let condition =
        |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": SINCE});
    let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map(condition);
    let status = json!({
        "phase": "Running", "podIP": address(number), "podIPs": [{"ip": address(number)}],
        "hostIP": "192.168.0.1", "conditions": conditions,
    });
    let home = home(number / PODS_PER_SERVICE);
    let path = format!("/api/v1/namespaces/{home}/pods/p-{number}/status");
    Write::merge(path, json!({"status": status}))
}

fn service(number: usize) -> Write {
    let labels = json!({
        "istio.io/use-waypoint": "waypoint",
        "istio.io/use-waypoint-namespace": WAYPOINT_NAMESPACE,
    });
    let body = json!({
        "metadata": {"name": format!("s-{number}"), "labels": labels},
        "spec": {
            "selector": {"app": format!("s-{number}")},
            "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
        },
    });
    Write::create(format!("/api/v1/namespaces/{}/services", home(number)), body)
}

fn slice(service: usize, pods: usize) -> Write {
    let first = service * PODS_PER_SERVICE;
    let own = first..pods.min(first + PODS_PER_SERVICE);
    let endpoint = |pod: usize| {
        json!({
            "addresses": [address(pod)], "nodeName": format!("node-{}", pod % NODES),
            "conditions": {"ready": true, "serving": true, "terminating": false},
            "targetRef": {"kind": "Pod", "name": format!("p-{pod}"), "namespace": home(service)},
        })
    };
    let endpoints: Vec<Value> = own.map(endpoint).collect();
    let labels = json!({"kubernetes.io/service-name": format!("s-{service}")});
    let body = json!({
        "metadata": {"name": format!("s-{service}-abcde"), "labels": labels},
        "addressType": "IPv4", "ports": [{"name": "http", "port": 8080}], "endpoints": endpoints,
    });
    let home = home(service);
    Write::create(format!("/apis/discovery.k8s.io/v1/namespaces/{home}/endpointslices"), body)
}

const SINCE: &str = "2026-01-01T00:00:00Z";
const GATEWAY_API: &str = "/apis/gateway.networking.k8s.io/v1";
/// How often it is told how many of a kind were sent, and the fewest of which that is told.
const STEPS: usize = 5;
const STEP_MIN: usize = 1000;
/// How many are sent at once.
const AT_ONCE: usize = 48;
const PODS_PER_SERVICE: usize = 20;
const SERVICES_PER_NAMESPACE: usize = 25;
/// How many nodes the pods are spread over.
const NODES: usize = 100;
