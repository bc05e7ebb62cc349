//! `waypointctl` against a real API server: what it writes, and what it says when it may not or
//! cannot. What it prints otherwise is expected in files, by `cluster_golden`.

use std::thread;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use waypoint_tests::{
    ctl::{Said, waypointctl},
    kube::ControlPlane,
};

#[test]
fn what_is_generated_is_what_is_applied() -> Result<()> {
    let desk = Desk::new("shop")?;
    let words = ["--for", "service", "--revision", "canary", "--name", "w"];
    let generated = desk.say(&[&["generate"][..], &words].concat())?;
    ensure!(generated.code == 0, "{generated:?}");
    ensure!(desk.say(&[&["apply"][..], &words].concat())?.code == 0);
    let before = desk.gateway("w")?;
    desk.plane.kubectl_with(
        desk.plane.kubeconfig(),
        &["apply", "--server-side", "--field-manager=other", "-f", "-"],
        &generated.out.replace("namespace: NS", &format!("namespace: {}", desk.namespace)),
    )?;
    let after = desk.gateway("w")?;
    let (before, after) = (before.pointer("/spec"), after.pointer("/spec"));
    ensure!(before == after && before.is_some(), "{before:?} {after:?}");
    Ok(())
}

#[test]
fn waiting_shows_how_it_is_and_ends_when_the_waypoint_is_programmed() -> Result<()> {
    let desk = Desk::new("shop")?;
    let said = thread::scope(|scope| -> Result<Said> {
        let waiting = scope.spawn(|| desk.say(&["apply", "--wait"]));
        desk.kubectl(&["wait", "--for=create", "gateway/waypoint", "--timeout=60s"])?;
        desk.program("waypoint")?;
        waiting.join().ok().context("the command panicked")?
    })?;
    ensure!(said.code == 0 && said.out.contains("is ready!"), "{said:?}");
    ensure!(said.out.contains("kubectl label namespace"), "{said:?}");
    let said = desk.say(&["apply", "--name", "slow", "--wait", "--waypoint-timeout", "2s"])?;
    ensure!(said.code == 1, "{said:?}");
    let expected = "timed out while waiting for waypoint\tNS/slow: Programmed is Unknown: Pending";
    ensure!(said.err.contains(expected), "{said:?}");
    Ok(())
}

#[test]
fn fields_of_others_are_not_taken_over_and_their_owner_is_named() -> Result<()> {
    let desk = Desk::new("shop")?;
    let gateway = "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n\
                   metadata: {name: waypoint, namespace: NS}\n\
                   spec: {gatewayClassName: other, listeners: [{name: web, port: 80, \
                   protocol: HTTP}]}\n";
    let words = ["apply", "--server-side", "--field-manager=team-a", "-f", "-"];
    let gateway = gateway.replace("NS", &desk.namespace);
    desk.plane.kubectl_with(desk.plane.kubeconfig(), &words, &gateway)?;
    let said = desk.say(&["apply"])?;
    ensure!(said.code == 2 && said.err.contains("\"team-a\""), "{said:?}");
    ensure!(said.err.contains("spec.gatewayClassName"), "{said:?}");
    ensure!(said.err.contains("change those fields where their owner keeps them"), "{said:?}");
    let class = desk.gateway("waypoint")?;
    ensure!(class.pointer("/spec/gatewayClassName") == Some(&"other".into()), "{class}");
    let said = desk.say(&["delete", "waypoint"])?;
    ensure!(said.err.contains("is of class other and no waypoint; it stays"), "{said:?}");
    Ok(())
}

#[test]
fn who_may_not_is_told_verb_resource_and_namespace() -> Result<()> {
    let desk = Desk::new("shop")?;
    let own = desk.plane.kubeconfig_of(&desk.namespace, "default")?;
    let own = own.to_str().context("a path that is no text")?;
    let place = ["--kubeconfig", own, "-n", &desk.namespace];
    let said = waypointctl(&[&["apply"][..], &place].concat())?;
    let expected = format!("you may not get namespaces {}; ask for a Role", desk.namespace);
    ensure!(said.code == 2 && said.err.contains(&expected), "{said:?}");
    let said = waypointctl(&[&["list"][..], &place].concat())?;
    let what = format!("list gateways.gateway.networking.k8s.io in namespace {}", desk.namespace);
    ensure!(said.code == 2 && said.err.contains(&what), "{said:?}");
    Ok(())
}

#[test]
fn a_namespace_that_is_not_there_is_named() -> Result<()> {
    let plane = ControlPlane::shared()?;
    let kubeconfig = plane.kubeconfig().to_str().context("a path that is no text")?;
    let said = waypointctl(&["apply", "-n", "nowhere", "--kubeconfig", kubeconfig])?;
    ensure!(said.code == 2, "{said:?}");
    ensure!(said.err.contains("namespace: nowhere not found"), "{said:?}");
    Ok(())
}

#[test]
fn without_its_kind_or_its_server_nothing_is_applied_and_the_remedy_is_said() -> Result<()> {
    let desk =
        Desk { plane: Plane::Own(Box::new(ControlPlane::start()?)), namespace: "default".into() };
    desk.kubectl(&["delete", "crd", "gateways.gateway.networking.k8s.io", "--wait=false"])?;
    desk.kubectl(&[
        "wait",
        "--for=delete",
        "crd/gateways.gateway.networking.k8s.io",
        "--timeout=60s",
    ])?;
    let said = desk.say(&["apply"])?;
    let expected =
        "missing Kubernetes Gateway CRDs need to be installed before applying a waypoint";
    ensure!(said.code == 2 && said.err.contains(expected), "{said:?}");
    desk.plane.kill_api_server()?;
    let said = desk.say(&["list"])?;
    ensure!(said.code == 2 && said.err.contains("the API server does not answer"), "{said:?}");
    Ok(())
}

#[test]
fn a_cluster_is_explained_and_analyzed_as_manifests_are() -> Result<()> {
    let desk = Desk::new("shop")?;
    desk.plane.apply(&MESH.replace("NS", &desk.namespace))?;
    desk.plane.apply_status(&STATUS.replace("NS", &desk.namespace))?;
    let said = desk.say(&["explain", "web", "reviews:80"])?;
    let expected = "Connections of NS/web go by HBONE, for 10.96.77.1:80, to waypoint NS/waypoint.";
    ensure!(said.code == 0 && said.out.contains(expected), "{}", said.whole());
    let label = "Namespace NS: metadata.labels[istio.io/use-waypoint]: waypoint";
    ensure!(said.out.contains(label), "{}", said.whole());
    desk.kubectl(&["label", "service", "reviews", "istio.io/use-waypoint=gone"])?;
    let said = desk.say(&["explain", "web", "reviews:80", "-o", "json"])?;
    let value: Value = serde_json::from_str(&said.out)?;
    ensure!(said.code == 1 && value["path"] == "direct", "{}", said.whole());
    let said = desk.say(&["analyze"])?;
    ensure!(said.code == 1 && said.out.contains("WaypointIsNotReady"), "{}", said.whole());
    Ok(())
}

#[test]
fn versions_are_shown_of_this_program_and_of_a_cluster() -> Result<()> {
    let desk = Desk::new("shop")?;
    let said = desk.say(&["version"])?;
    let own = env!("CARGO_PKG_VERSION");
    let expected = format!("client:      {own}\ncontroller:  none\nagents:      none\n");
    ensure!(said.code == 0 && said.out.starts_with(&expected), "{said:?}");
    Ok(())
}

/// Where somebody sits who uses a cluster.
struct Desk {
    plane: Plane,
    namespace: String,
}

/// A control plane.
enum Plane {
    Shared(&'static ControlPlane),
    Own(Box<ControlPlane>),
}

impl std::ops::Deref for Plane {
    type Target = ControlPlane;

    fn deref(&self) -> &ControlPlane {
        match self {
            Self::Shared(plane) => plane,
            Self::Own(plane) => plane,
        }
    }
}

impl Desk {
    /// At the shared control plane, with a namespace of its own.
    fn new(word: &str) -> Result<Self> {
        let plane = ControlPlane::shared()?;
        Ok(Self { plane: Plane::Shared(plane), namespace: plane.namespace(word)? })
    }

    /// Runs a command in the namespace; what is printed calls that `NS`.
    fn say(&self, words: &[&str]) -> Result<Said> {
        let kubeconfig = self.plane.kubeconfig().to_str().context("a path that is no text")?;
        let place = ["--kubeconfig", kubeconfig, "-n", &self.namespace];
        let Said { out, err, code } = waypointctl(&[words, &place].concat())?;
        let [out, err] = [out, err].map(|text| text.replace(&self.namespace, "NS"));
        Ok(Said { out, err, code })
    }

    fn kubectl(&self, words: &[&str]) -> Result<String> {
        self.plane.kubectl(&[words, &["-n", &self.namespace]].concat())
    }

    fn gateway(&self, name: &str) -> Result<Value> {
        Ok(serde_json::from_str(&self.kubectl(&["get", "gateway", name, "-o", "json"])?)?)
    }

    /// Says of a Gateway what a controller says in the end.
    fn program(&self, name: &str) -> Result<()> {
        let status = "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n\
                      metadata: {name: NAME, namespace: NS}\nstatus: {conditions: [{type: \
                      Programmed, status: 'True', reason: Programmed, message: Resource \
                      programmed, observedGeneration: 1, lastTransitionTime: \
                      '2026-01-01T00:00:00Z'}]}\n";
        let status = status.replace("NAME", name).replace("NS", &self.namespace);
        self.plane.apply_status(&status)
    }
}

const MESH: &str = "\
apiVersion: v1
kind: Namespace
metadata: {name: NS, labels: {istio.io/dataplane-mode: ambient, istio.io/use-waypoint: waypoint}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: waypoint, namespace: NS}
spec:
  gatewayClassName: istio-waypoint
  listeners: [{name: mesh, port: 15008, protocol: HBONE}]
---
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: NS}
spec: {clusterIP: 10.96.77.1, selector: {app: reviews}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: NS}
spec: {containers: [{name: web, image: web}]}
---
apiVersion: v1
kind: Pod
metadata: {name: reviews-1, namespace: NS, labels: {app: reviews}}
spec: {containers: [{name: reviews, image: reviews}]}
---
apiVersion: v1
kind: Pod
metadata:
  name: waypoint-1
  namespace: NS
  labels:
    gateway.networking.k8s.io/gateway-name: waypoint
    gateway.istio.io/managed: istio.io-mesh-controller
    istio.io/dataplane-mode: none
spec: {containers: [{name: waypoint, image: waypoint}]}
";

const STATUS: &str = "\
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: waypoint, namespace: NS}
status: {addresses: [{type: IPAddress, value: 10.96.77.2}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: NS}
status: {podIP: 10.1.77.1, podIPs: [{ip: 10.1.77.1}], conditions: [{type: Ready, status: 'True'}]}
---
apiVersion: v1
kind: Pod
metadata: {name: reviews-1, namespace: NS}
status: {podIP: 10.1.77.2, podIPs: [{ip: 10.1.77.2}], conditions: [{type: Ready, status: 'True'}]}
---
apiVersion: v1
kind: Pod
metadata: {name: waypoint-1, namespace: NS}
status: {podIP: 10.1.77.3, podIPs: [{ip: 10.1.77.3}], conditions: [{type: Ready, status: 'True'}]}
";
