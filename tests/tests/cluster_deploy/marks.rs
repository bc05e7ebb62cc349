//! Agents' marks on captured pods, written with an agent's own credentials.

use std::{collections::BTreeMap, fs, path::PathBuf, sync::Arc};

use anyhow::{Context, Result, ensure};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use waypoint_tests::{
    kube::ControlPlane,
    lab::wait::{self, SOON},
};
use waypoint_user::{
    control::redirection::{self, Captured, Sources},
    mesh::object::ObjectName,
    sync::{
        self,
        cluster::{self, Access, Scope},
    },
    telemetry::task,
};

use super::{AGENT, NAMESPACE, installed, rights::source};

/// Nodes, an agent's pod on one of them, and a pod on each.
fn furnish(plane: &ControlPlane, shop: &str) -> Result<()> {
    let pod = |namespace: &str, name: &str, node: &str, account: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
             spec: {{nodeName: {node}, serviceAccountName: {account}, \
             containers: [{{name: a, image: a}}]}}\n---\n"
        )
    };
    plane.apply(&format!(
        "apiVersion: v1\nkind: Node\nmetadata: {{name: n1}}\n---\n\
         apiVersion: v1\nkind: Node\nmetadata: {{name: n2}}\n---\n{}{}{}{}",
        pod(NAMESPACE, "agent-n1", "n1", AGENT),
        pod(shop, "web", "n1", "default"),
        pod(shop, "idle", "n1", "default"),
        pod(shop, "far", "n2", "default"),
    ))
}

/// Credentials of the agent's pod, which say on which node it is.
fn credentials(plane: &ControlPlane) -> Result<PathBuf> {
    let unbound = plane.kubeconfig_of(NAMESPACE, AGENT)?;
    let text = fs::read_to_string(&unbound)?;
    let start = text.find("eyJ").context("no token in the kubeconfig")?;
    let ends = |c: char| !c.is_ascii_alphanumeric() && !['-', '_', '.'].contains(&c);
    let token = text.get(start..).unwrap_or_default();
    let token = token.get(..token.find(ends).unwrap_or(token.len())).unwrap_or_default();
    let bound = ["--bound-object-kind=Pod", "--bound-object-name=agent-n1"];
    let create = ["create", "token", AGENT, "--namespace", NAMESPACE];
    let own = plane.kubectl(&[&create[..], &bound].concat())?;
    let file = plane.directory().join("agent-n1.kubeconfig");
    fs::write(&file, text.replace(token, own.trim()))?;
    Ok(file)
}

fn annotation(plane: &ControlPlane, shop: &str, pod: &str) -> Result<String> {
    let path = "jsonpath={.metadata.annotations.ambient\\.istio\\.io/redirection}";
    plane.kubectl(&["get", "pod", pod, "--namespace", shop, "--output", path])
}

fn field(plane: &ControlPlane, shop: &str, pod: &str, field: &str) -> Result<String> {
    let path = format!("jsonpath={{{field}}}");
    plane.kubectl(&["get", "pod", pod, "--namespace", shop, "--output", &path])
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_marks_captured_pods_of_its_node_and_writes_each_mark_once() -> Result<()> {
    let plane = installed()?;
    let shop = plane.namespace("marks")?;
    furnish(plane, &shop)?;
    let access = Access { kubeconfig: Some(credentials(plane)?), ..Access::default() };
    let path = access.kubeconfig.clone().context("it was just set")?;
    let shutdown = CancellationToken::new();
    let scope = Scope::Node("n1".to_owned());
    let feed = sync::watch(source(path, scope), shutdown.clone()).await?;
    let (captures, captured) = watch::channel(None);
    let (node, objects) = ("n1".to_owned(), feed.objects.clone());
    let client = cluster::connect(&access).await?;
    let sources = Sources { node, captured, objects };
    let marking =
        task::spawn("redirection", redirection::follow(client, sources, shutdown.clone()));

    let uid = field(plane, &shop, "web", ".metadata.uid")?;
    let web = || (ObjectName::new(&shop, "web"), Arc::from(uid.as_str()));
    captures.send_replace(Some(Arc::new(BTreeMap::from([web()]))));
    wait::until_true("a mark", SOON, || Ok(annotation(plane, &shop, "web")? == "enabled"))?;
    ensure!(annotation(plane, &shop, "far")?.is_empty(), "a pod of another node is marked");

    let version = field(plane, &shop, "web", ".metadata.resourceVersion")?;
    let again: Captured = BTreeMap::from([web()]);
    captures.send_replace(Some(Arc::new(again)));
    plane.kubectl(&["label", "pod", "idle", "--namespace", &shop, "seen=yes"])?;
    let mut objects = feed.objects.clone();
    let idle = ObjectName::new(&shop, "idle");
    let sees = objects.wait_for(|all| {
        let labels = all.pods.get(&idle).and_then(|pod| pod.metadata.labels.as_ref());
        labels.is_some_and(|labels| labels.contains_key("seen"))
    });
    tokio::time::timeout(SOON, sees).await??;
    ensure!(field(plane, &shop, "web", ".metadata.resourceVersion")? == version, "written twice");

    captures.send_replace(Some(Arc::new(BTreeMap::new())));
    wait::until_true("no mark", SOON, || Ok(annotation(plane, &shop, "web")?.is_empty()))?;
    shutdown.cancel();
    marking.await?;
    feed.follower.await?;
    Ok(())
}

#[test]
fn an_agent_can_write_nothing_else_and_nowhere_else() -> Result<()> {
    let plane = installed()?;
    let shop = plane.namespace("limits")?;
    furnish(plane, &shop)?;
    let own = credentials(plane)?;
    plane.apply(KUBECTL_READS_BEFORE_IT_WRITES)?;
    let patch = |who: &PathBuf, pod: &str, subresource: &[&str], content: &str| {
        let patch = ["patch", "pod", pod, "--namespace", &shop, "--type=merge", "--patch", content];
        plane.kubectl_as(who, &[&patch[..], subresource].concat())
    };
    let status = ["--subresource=status"];
    let mark = r#"{"metadata":{"annotations":{"ambient.istio.io/redirection":"enabled"}}}"#;
    let refused = [
        ("web", r#"{"metadata":{"annotations":{"other":"one"}}}"#, "no annotation but"),
        ("web", r#"{"metadata":{"labels":{"app":"other"}}}"#, "nothing else of a pod"),
        ("web", r#"{"status":{"phase":"Failed"}}"#, "nothing else of a pod"),
        ("far", mark, "pods of its own node only"),
    ];
    wait::until_true("kubectl that may read", SOON, || {
        let outcome = patch(&own, "web", &status, "{}");
        Ok(outcome.is_ok())
    })?;
    for (pod, content, why) in refused {
        let outcome = patch(&own, pod, &status, content);
        let said = outcome.err().with_context(|| format!("{content} of {pod} was written"))?;
        ensure!(format!("{said:#}").contains(why), "{content} of {pod}: {said:#}");
    }
    patch(&own, "web", &status, mark)?;
    let outcome = patch(&own, "web", &[], mark);
    ensure!(outcome.is_err_and(|said| format!("{said:#}").contains("forbidden")), "by its spec");
    let stolen = plane.kubeconfig_of(NAMESPACE, AGENT)?;
    ensure!(patch(&stolen, "web", &status, mark).is_err(), "with a token of no node");
    Ok(())
}

const KUBECTL_READS_BEFORE_IT_WRITES: &str = "\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: tests-read-pods}
rules: [{apiGroups: [''], resources: [pods, pods/status], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: tests-read-pods}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: tests-read-pods}
subjects: [{kind: ServiceAccount, name: waypoint-agent, namespace: waypoint-system}]
";
