//! What is read of a cluster for one node, and for one waypoint.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use waypoint_tests::kube::ControlPlane;
use waypoint_user::{
    mesh::{object::ObjectName, snapshot::Snapshot},
    sync::cluster::Scope,
};

use crate::reader::{Reader, service, settings};

#[test]
fn an_agent_reads_its_own_pods_and_of_others_those_that_count() -> Result<()> {
    let plane = ControlPlane::start()?;
    let (shop, other) = (plane.namespace("shop")?, plane.namespace("other")?);
    serve(&plane, &shop)?;
    for (namespace, name, node, address) in [
        (&shop, "mine", "a", "10.1.0.1"),
        (&shop, "theirs", "b", "10.1.0.2"),
        (&other, "elsewhere", "b", "10.1.0.3"),
    ] {
        plane.apply(&pod(namespace, name, node, ""))?;
        plane.apply_status(&running(namespace, name, address))?;
    }
    let label = "{gateway.networking.k8s.io/gateway-name: waypoint}";
    plane.apply(&pod(&shop, "waypoint", "b", label))?;
    plane.apply_status(&running(&shop, "waypoint", "10.1.0.4"))?;
    let reader = Reader::of(settings(plane.kubeconfig(), Scope::Node("a".to_owned())))?;
    ensure!(
        pods(&reader.snapshot()) == set(&["mine", "waypoint"]),
        "{:?}",
        pods(&reader.snapshot())
    );
    let wait = |what: &str, names: &[&str]| {
        reader.wait(what, |snapshot| pods(snapshot) == set(names)).map(drop)
    };
    plane.kubectl(&["label", "pod", "theirs", "-n", &shop, "istio.io/use-waypoint=waypoint"])?;
    wait("a pod that asks for a waypoint", &["mine", "theirs", "waypoint"])?;
    plane.kubectl(&["label", "pod", "theirs", "-n", &shop, "istio.io/use-waypoint-"])?;
    wait("one that does not", &["mine", "waypoint"])?;
    let asks = format!("istio.io/use-waypoint-namespace={shop}");
    plane.kubectl(&["label", "namespace", &other, "istio.io/use-waypoint=waypoint", &asks])?;
    wait("a namespace whose waypoint takes workloads", &["elsewhere", "mine", "waypoint"])?;
    plane.kubectl(&[
        "annotate",
        "gateway",
        "waypoint",
        "-n",
        &shop,
        "waypoint.dev/placement=node",
    ])?;
    wait("a waypoint at its clients'", &["elsewhere", "mine", "theirs", "waypoint"])?;
    plane.kubectl(&["annotate", "gateway", "waypoint", "-n", &shop, "waypoint.dev/placement-"])?;
    plane.kubectl(&["label", "namespace", &other, "istio.io/use-waypoint-"])?;
    wait("nothing of it", &["mine", "waypoint"])
}

#[test]
fn a_waypoint_reads_the_endpoints_of_what_is_bound_to_it() -> Result<()> {
    let plane = ControlPlane::start()?;
    let (shop, other) = (plane.namespace("shop")?, plane.namespace("other")?);
    serve(&plane, &shop)?;
    for (namespace, address) in [(&shop, "10.1.0.1"), (&other, "10.1.0.2")] {
        plane.apply(&(service(namespace, "reviews", 80) + &slice(namespace, address)))?;
    }
    plane.kubectl(&[
        "label",
        "service",
        "reviews",
        "-n",
        &shop,
        "istio.io/use-waypoint=waypoint",
    ])?;
    let scope = Scope::Waypoint(ObjectName::new(&shop, "waypoint"));
    let reader = Reader::of(settings(plane.kubeconfig(), scope))?;
    let endpoints = |snapshot: &Snapshot, namespace: &str| {
        let service = snapshot.services().get(&ObjectName::new(namespace, "reviews"));
        service.map_or(0, |service| service.endpoints.len())
    };
    let there = reader.snapshot();
    ensure!((endpoints(&there, &shop), endpoints(&there, &other)) == (1, 0));
    let label = format!("istio.io/use-waypoint-namespace={shop}");
    let asks = ["istio.io/use-waypoint=waypoint", &label];
    plane.kubectl(&[&["label", "service", "reviews", "-n", &other][..], &asks].concat())?;
    reader.wait("bound", |snapshot| endpoints(snapshot, &other) == 1)?;
    plane.kubectl(&["label", "service", "reviews", "-n", &other, "istio.io/use-waypoint-"])?;
    reader.wait("not bound", |snapshot| endpoints(snapshot, &other) == 0)?;
    Ok(())
}

fn pods(snapshot: &Snapshot) -> BTreeSet<String> {
    snapshot.workloads().keys().map(|name| name.name.clone()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Makes a Gateway that takes everything from everywhere and has an address.
fn serve(plane: &ControlPlane, namespace: &str) -> Result<()> {
    plane.apply(&format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\n\
         metadata: {{name: istio-waypoint}}\n\
         spec: {{controllerName: istio.io/mesh-controller}}\n---\n\
         apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata:\n  name: waypoint\n  \
         namespace: {namespace}\n  labels: {{istio.io/waypoint-for: all}}\n\
         spec:\n  gatewayClassName: istio-waypoint\n  listeners:\n  - name: mesh\n    \
         port: 15008\n    protocol: HBONE\n    allowedRoutes: {{namespaces: {{from: All}}}}\n"
    ))?;
    plane.apply_status(&format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n\
         metadata: {{name: waypoint, namespace: {namespace}}}\n\
         status: {{addresses: [{{type: IPAddress, value: 10.1.0.4}}]}}\n"
    ))
}

fn pod(namespace: &str, name: &str, node: &str, labels: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  namespace: {namespace}\n  \
         labels: {labels}\nspec: {{nodeName: {node}, containers: [{{name: c, image: i}}]}}\n"
    )
}

fn running(namespace: &str, name: &str, address: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
         status: {{phase: Running, podIP: {address}, podIPs: [{{ip: {address}}}]}}\n"
    )
}

fn slice(namespace: &str, address: &str) -> String {
    format!(
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: reviews\n  \
         namespace: {namespace}\n  labels: {{kubernetes.io/service-name: reviews}}\n\
         addressType: IPv4\nports: [{{port: 8080}}]\nendpoints: [{{addresses: [{address}]}}]\n"
    )
}
