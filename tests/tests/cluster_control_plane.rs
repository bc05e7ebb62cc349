//! The control plane that other stories stand on is a real one.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use waypoint_tests::{
    kube::ControlPlane,
    lab::wait::{self, SOON},
};

#[test]
fn objects_survive_the_death_of_the_api_server() -> Result<()> {
    let plane = ControlPlane::start()?;
    let shop = plane.namespace("shop")?;
    plane.apply(&gateway(&shop, "waypoint", "HBONE"))?;
    let get = ["get", "gateway", "waypoint", "--namespace", &shop, "--output=name"];
    let before = plane.kubectl(&get)?;

    plane.kill_api_server()?;
    ensure!(plane.kubectl(&get).is_err(), "a dead API server answered");
    plane.start_api_server()?;

    assert_eq!(plane.kubectl(&get)?, before);
    Ok(())
}

#[test]
fn what_was_before_a_compaction_is_gone() -> Result<()> {
    let plane = ControlPlane::start()?;
    let shop = plane.namespace("shop")?;
    let path = format!("/api/v1/namespaces/{shop}/configmaps");
    let now: Value = serde_json::from_str(&plane.kubectl(&["get", "--raw", &path])?)?;
    let version = now.pointer("/metadata/resourceVersion").and_then(Value::as_str);
    let version = version.context("a list has a version")?;
    let list = format!("{path}?resourceVersion={version}&resourceVersionMatch=Exact");
    let watch = format!("{path}?resourceVersion={version}&watch=1&timeoutSeconds=1");
    for ask in [&list, &watch] {
        plane.kubectl(&["get", "--raw", ask])?;
    }
    plane.kubectl(&["create", "configmap", "one", "--namespace", &shop])?;

    plane.kill_api_server()?;
    plane.compact()?;
    plane.start_api_server()?;

    for ask in [&list, &watch] {
        let seen = plane.kubectl(&["get", "--raw", ask]);
        let text = seen.unwrap_or_else(|error| format!("{error:#}"));
        // A list and a watch say it in words of their own.
        ensure!(text.contains("Expired") || text.contains("too old resource version"), "{text}");
    }
    Ok(())
}

#[test]
fn an_account_without_rights_is_refused() -> Result<()> {
    let plane = ControlPlane::shared()?;
    let shop = plane.namespace("shop")?;
    let nobody = plane.kubeconfig_of(&shop, "default")?;
    let get = ["get", "pods", "--namespace", &shop];

    let error = plane.kubectl_as(&nobody, &get).err().context("it was answered")?;
    ensure!(format!("{error:#}").contains("Forbidden"), "{error:#}");
    plane.apply(&PODS_READER.replace("NAMESPACE", &shop))?;

    let allowed = || Ok(plane.kubectl_as(&nobody, &get).is_ok());
    wait::until_true("rights that were granted", SOON, allowed)
}

#[test]
fn a_gateway_that_the_validation_rules_forbid_is_refused() -> Result<()> {
    let plane = ControlPlane::shared()?;
    let shop = plane.namespace("shop")?;
    plane.apply(&gateway(&shop, "good", "HBONE"))?;

    let same_port =
        gateway(&shop, "bad", "HBONE") + "  - {name: b, port: 15008, protocol: HBONE}\n";
    let tls = gateway(&shop, "bad", "HTTP") + "    tls: {mode: Terminate}\n";
    for (bad, why) in [(same_port, "must be unique"), (tls, "tls must not be specified")] {
        let error = plane.apply(&bad).err().context("it was accepted")?;
        ensure!(format!("{error:#}").contains(why), "{error:#}");
    }
    Ok(())
}

#[test]
fn a_connection_that_is_cut_ends_at_once() -> Result<()> {
    let plane = ControlPlane::start()?;
    let shop = plane.namespace("shop")?;
    let watch = format!("/api/v1/namespaces/{shop}/configmaps?watch=1&timeoutSeconds=60");
    let began = Instant::now();
    std::thread::scope(|scope| {
        let watching = scope.spawn(|| plane.kubectl(&["get", "--raw", &watch]));
        // It may take a moment to connect; connections that are cut too early do it again.
        wait::until_true("end of the watch", SOON, || {
            plane.cut_connections();
            Ok(watching.is_finished())
        })
    })?;
    ensure!(began.elapsed() < Duration::from_secs(30), "it took {:?}", began.elapsed());
    Ok(())
}

#[test]
fn controllers_do_what_a_cluster_does_by_itself() -> Result<()> {
    let plane = ControlPlane::start()?.with_controller_manager()?;
    plane.kubectl(&["create", "namespace", "shop"])?;
    let account = ["get", "serviceaccount", "default", "--namespace=shop"];
    wait::until_true("a default account", SOON, || Ok(plane.kubectl(&account).is_ok()))?;
    plane.apply(SERVICE_AND_POD)?;
    plane.apply_status(POD_STATUS)?;

    let slices = ["get", "endpointslices", "--namespace=shop", "--output=yaml"];
    wait::until_true("the pod among the Service's endpoints", SOON, || {
        Ok(plane.kubectl(&slices)?.contains("10.77.1.9"))
    })?;

    plane.kubectl(&["delete", "pod", "web", "--namespace=shop", "--force"])?;
    plane.kubectl(&["delete", "namespace", "shop", "--wait=false"])?;
    let left = || Ok(plane.kubectl(&["get", "namespace", "shop"]).is_err());
    wait::until_true("no namespace any more", SOON * 3, left)
}

fn gateway(namespace: &str, name: &str, protocol: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n\
         metadata: {{name: {name}, namespace: {namespace}}}\n\
         spec:\n  gatewayClassName: istio-waypoint\n  listeners:\n  \
         - name: mesh\n    port: 15008\n    protocol: {protocol}\n"
    )
}

const PODS_READER: &str = "\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: NAMESPACE}
rules: [{apiGroups: [''], resources: [pods], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: NAMESPACE}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: default, namespace: NAMESPACE}]
";

const SERVICE_AND_POD: &str = "\
apiVersion: v1
kind: Node
metadata: {name: n1}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  selector: {app: web}
  ports: [{port: 80}]
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  nodeName: n1
  containers: [{name: web, image: web}]
";

const POD_STATUS: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
status:
  phase: Running
  podIP: 10.77.1.9
  podIPs: [{ip: 10.77.1.9}]
  conditions: [{type: Ready, status: 'True'}]
";
