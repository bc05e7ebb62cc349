//! The certificate authority of a cluster: where its keys are, who gets which certificate, and how
//! everybody learns its root.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use rcgen::{CertificateParams, DistinguishedName, KeyPair, SanType};
use waypoint_tests::{
    kube::ControlPlane,
    lab::{
        Process,
        command::product,
        wait::{SOON, until, until_true},
    },
    wire::Authority,
};
use waypoint_user::{
    identity::{
        Issuer, SigningRequest,
        client::{Client, Settings},
    },
    mesh::spiffe::SpiffeId,
};

/// A cluster of its own, as an authority tells all of a cluster its root, and a namespace in which
/// controllers are installed.
struct Scene {
    plane: ControlPlane,
    namespace: String,
}

/// A controller that serves certificates.
struct Controller {
    _process: Process,
    address: String,
}

impl Scene {
    fn new(word: &str) -> Result<Self> {
        let plane = ControlPlane::start()?;
        let namespace = plane.namespace(word)?;
        Ok(Self { plane, namespace })
    }

    /// Starts a controller, which serves a port of its own.
    fn controller(&self, name: &str) -> Result<Controller> {
        let (name, logs) = (format!("{}-{name}", self.namespace), self.plane.directory());
        let kubeconfig = self.plane.kubeconfig().display().to_string();
        let admin = format!("unix:{}", logs.join(format!("{name}.sock")).display());
        let arguments = [
            "controller",
            "--kubeconfig",
            &kubeconfig,
            "--namespace",
            &self.namespace,
            "--identity",
            &name,
            "--revision",
            &self.namespace,
            "--ca-listen",
            "127.0.0.1:0",
            "--ca-name",
            "127.0.0.1",
            "--admin",
            &admin,
            "--log-format",
            "json",
        ];
        let mut process = Process::start_here(&name, logs, &product("waypointd")?, &arguments)?;
        let log = logs.join(format!("{name}.err"));
        let address = until("where it serves", SOON * 2, || {
            process.is_alive()?;
            let log = fs::read_to_string(&log)?;
            let Some(line) = log.lines().find(|line| line.contains("\"serving\"")) else {
                return Ok(None);
            };
            let line: serde_json::Value = serde_json::from_str(line)?;
            let address = line.pointer("/fields/address").or_else(|| line.get("address"));
            Ok(address.and_then(serde_json::Value::as_str).map(str::to_owned))
        })?;
        Ok(Controller { _process: process, address })
    }

    /// The roots that a namespace was told of.
    fn roots(&self, namespace: &str) -> Result<String> {
        until(&format!("roots in {namespace}"), SOON * 2, || {
            let path = "jsonpath={.data.root-cert\\.pem}";
            let name = "configmap/waypoint-ca-root-cert";
            let get = ["get", name, "--namespace", namespace, "--output", path];
            let roots = self.plane.kubectl(&[&get[..], &["--ignore-not-found"]].concat())?;
            Ok((!roots.is_empty()).then_some(roots))
        })
    }

    /// A token for the authority, bound to a pod if one is named.
    fn token(&self, namespace: &str, account: &str, pod: Option<&str>) -> Result<String> {
        let mut create = vec!["create", "token", account, "--namespace", namespace];
        create.push("--audience=istio-ca");
        if let Some(pod) = pod {
            create.extend(["--bound-object-kind=Pod", "--bound-object-name", pod]);
        }
        Ok(self.plane.kubectl(&create)?.trim().to_owned())
    }

    fn account(&self, namespace: &str, name: &str) -> Result<()> {
        self.plane.kubectl(&["create", "serviceaccount", name, "--namespace", namespace])?;
        Ok(())
    }

    /// A pod that runs on a node, as a scheduler and a kubelet would have it.
    fn pod(
        &self,
        namespace: &str,
        name: &str,
        account: &str,
        (node, ip): (&str, &str),
    ) -> Result<()> {
        self.plane.apply(&format!(
            "
apiVersion: v1
kind: Pod
metadata: {{ name: {name}, namespace: {namespace} }}
spec:
  nodeName: {node}
  serviceAccountName: {account}
  containers: [{{ name: app, image: none }}]
"
        ))?;
        self.plane.apply_status(&format!(
            "
apiVersion: v1
kind: Pod
metadata: {{ name: {name}, namespace: {namespace} }}
status: {{ phase: Running, podIP: {ip}, podIPs: [{{ ip: {ip} }}] }}
"
        ))
    }
}

impl Controller {
    /// Asks for a certificate of an identity; the answer is the root that it leads to.
    fn certificate(&self, scene: &Scene, token: &str, identity: &SpiffeId) -> Result<Vec<u8>> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let place = |what: &str| -> PathBuf {
            scene.plane.directory().join(format!("{}-{what}-{number}", scene.namespace))
        };
        let (root, bearer) = (place("root"), place("token"));
        fs::write(&root, scene.roots(&scene.namespace)?)?;
        fs::write(&bearer, token)?;
        let client = Client::new(Settings::new(self.address.clone(), root, bearer))?;
        let mut wish = CertificateParams::default();
        wish.distinguished_name = DistinguishedName::new();
        wish.subject_alt_names = vec![SanType::URI(identity.to_string().try_into()?)];
        let request = SigningRequest {
            identity: Arc::new(identity.clone()),
            csr: wish.serialize_request(&KeyPair::generate()?)?.pem()?,
            lifetime: Duration::from_hours(1),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let issued = runtime.block_on(client.issue(request))?;
        Ok(issued.roots.first().context("no root")?.to_vec())
    }
}

#[test]
fn keys_are_made_once_and_every_replica_signs_by_them() -> Result<()> {
    let scene = Scene::new("replicas")?;
    scene.account(&scene.namespace, "waypoint")?;
    let (one, other) = (scene.controller("one")?, scene.controller("other")?);
    let token = scene.token(&scene.namespace, "waypoint", None)?;
    let own = SpiffeId::new("cluster.local", &scene.namespace, "waypoint");
    let root = one.certificate(&scene, &token, &own)?;
    ensure!(root == other.certificate(&scene, &token, &own)?, "two replicas, two roots");
    drop(one);
    drop(other);
    let again = scene.controller("again")?;
    ensure!(root == again.certificate(&scene, &token, &own)?, "a restart made a new root");
    Ok(())
}

#[test]
fn a_service_account_gets_its_own_identity_and_no_other() -> Result<()> {
    let scene = Scene::new("accounts")?;
    scene.account(&scene.namespace, "waypoint")?;
    let controller = scene.controller("one")?;
    let token = scene.token(&scene.namespace, "waypoint", None)?;
    let identity = |account: &str| SpiffeId::new("cluster.local", &scene.namespace, account);
    controller.certificate(&scene, &token, &identity("waypoint"))?;
    let refused = controller.certificate(&scene, &token, &identity("another"));
    ensure!(format!("{:#}", refused.unwrap_err()).contains("refused"));
    // A token that is good for the API server is not good for the authority.
    let create = ["create", "token", "waypoint", "--namespace", &scene.namespace];
    let elsewhere = scene.plane.kubectl(&create)?;
    let refused = controller.certificate(&scene, elsewhere.trim(), &identity("waypoint"));
    ensure!(format!("{:#}", refused.unwrap_err()).contains("refused"));
    Ok(())
}

#[test]
fn an_agent_gets_identities_of_the_pods_of_its_node_and_no_others() -> Result<()> {
    let scene = Scene::new("agents")?;
    let shop = scene.plane.namespace("shop")?;
    scene.account(&scene.namespace, "waypoint-agent")?;
    for account in ["near", "far"] {
        scene.account(&shop, account)?;
    }
    // A bound token names the node, which has to be there for that.
    for node in ["node-a", "node-b"] {
        scene.plane.apply(&format!(
            "apiVersion: v1\nkind: Node\nmetadata: {{ name: {}-{node} }}\n",
            scene.namespace
        ))?;
    }
    let (here, there) =
        (format!("{}-node-a", scene.namespace), format!("{}-node-b", scene.namespace));
    scene.pod(&scene.namespace, "agent", "waypoint-agent", (&here, "10.88.0.1"))?;
    scene.pod(&shop, "near", "near", (&here, "10.88.0.2"))?;
    scene.pod(&shop, "far", "far", (&there, "10.88.0.3"))?;
    let controller = scene.controller("one")?;
    let token = scene.token(&scene.namespace, "waypoint-agent", Some("agent"))?;
    let identity = |account: &str| SpiffeId::new("cluster.local", &shop, account);
    until_true("a certificate of the pod of the same node", SOON, || {
        controller.certificate(&scene, &token, &identity("near")).map(|_| true)
    })?;
    let refused = controller.certificate(&scene, &token, &identity("far"));
    ensure!(format!("{:#}", refused.unwrap_err()).contains("refused"));
    // Bound to no pod, it is on no node.
    let loose = scene.token(&scene.namespace, "waypoint-agent", None)?;
    let refused = controller.certificate(&scene, &loose, &identity("near"));
    ensure!(format!("{:#}", refused.unwrap_err()).contains("refused"));
    Ok(())
}

#[test]
fn a_root_that_is_added_to_the_secret_reaches_every_namespace() -> Result<()> {
    let scene = Scene::new("roots")?;
    let _controller = scene.controller("one")?;
    let before = scene.roots(&scene.namespace)?;
    let late = scene.plane.namespace("late")?;
    until_true("the root in a new namespace", SOON, || Ok(scene.roots(&late)? == before))?;
    let new = Authority::new()?;
    let patch = serde_json::json!({ "stringData": { "additional-roots.pem": new.root() } });
    let (patch, name) = (patch.to_string(), "secret/waypoint-ca");
    scene.plane.kubectl(&["patch", name, "--namespace", &scene.namespace, "--patch", &patch])?;
    let count = |text: &str| text.matches("BEGIN CERTIFICATE").count();
    for namespace in [&scene.namespace, &late] {
        until_true("both roots", SOON, || Ok(count(&scene.roots(namespace)?) == 2))?;
    }
    // What does not fit is not taken, and what somebody deletes comes back.
    let broken = serde_json::json!({ "stringData": { "ca-key.pem": "no key" } }).to_string();
    scene.plane.kubectl(&["patch", name, "--namespace", &scene.namespace, "--patch", &broken])?;
    let map = "configmap/waypoint-ca-root-cert";
    scene.plane.kubectl(&["delete", map, "--namespace", &late])?;
    until_true("both roots again", SOON, || Ok(count(&scene.roots(&late)?) == 2))
}
