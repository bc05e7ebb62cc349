//! Where stories of status take place: a namespace of the shared control plane, and a controller
//! that writes status.

use std::{
    ffi::OsString,
    fs,
    net::{IpAddr, Ipv4Addr},
    sync::{
        OnceLock,
        atomic::{AtomicU8, Ordering},
    },
    thread,
};

use anyhow::{Context, Result, anyhow};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;
use waypoint_tests::{
    kube::{ControlPlane, Door},
    lab::{
        Netns,
        command::{self, product},
        process::Process,
        wait::{self, SOON},
    },
};
use waypoint_user::{
    control::status::{STATUS_PORT, Status},
    sync::{
        self, Served, Settings, Source,
        cluster::{self, Access, Scope},
    },
    telemetry::metrics::Registry,
};

/// A namespace, beside a controller.
pub(crate) struct Stage {
    plane: &'static ControlPlane,
    pub(crate) namespace: String,
}

/// Status of a condition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Truth {
    True,
    False,
}

/// Status, reason and message.
pub(crate) type Says<'a> = (Truth, &'a str, &'a str);

impl Stage {
    pub(crate) fn new(word: &str) -> Result<Self> {
        let plane = ControlPlane::shared()?;
        controller(plane)?;
        Ok(Self { plane, namespace: plane.namespace(word)? })
    }

    /// Applies objects of the namespace.
    pub(crate) fn apply(&self, yaml: &str) -> Result<()> {
        let namespace = format!("metadata: {{namespace: {}, ", self.namespace);
        self.plane.apply(&yaml.replace("metadata: {", &namespace))
    }

    /// A Gateway that has an address, so that it counts as ready.
    pub(crate) fn gateway(&self, name: &str, takes: &str) -> Result<()> {
        self.apply(&gateway(name, takes))?;
        let status = format!(
            "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n\
             metadata: {{name: {name}, namespace: {}}}\n\
             status: {{addresses: [{{type: IPAddress, value: 192.0.2.9}}]}}\n",
            self.namespace
        );
        self.plane.apply_status(&status)
    }

    pub(crate) fn label(&self, object: &str, label: &str) -> Result<()> {
        self.kubectl(&["label", "--overwrite", object, label]).map(drop)
    }

    pub(crate) fn get(&self, object: &str) -> Result<Value> {
        Ok(serde_json::from_str(&self.kubectl(&["get", object, "--output=json"])?)?)
    }

    pub(crate) fn version(&self, object: &str) -> Result<String> {
        let object = self.get(object)?;
        let version = object.pointer("/metadata/resourceVersion").and_then(Value::as_str);
        Ok(version.context("no resourceVersion")?.to_owned())
    }

    /// What a Service says of its waypoint.
    pub(crate) fn bound(&self, service: &str) -> Result<Option<Value>> {
        self.condition(&format!("service/{service}"), "istio.io/WaypointBound")
    }

    /// What an object says of itself as a whole.
    pub(crate) fn condition(&self, object: &str, kind: &str) -> Result<Option<Value>> {
        Ok(find(self.get(object)?.pointer("/status/conditions"), kind))
    }

    /// What a route says to one of its parents; an HTTPRoute, unless it says what.
    pub(crate) fn route_condition(
        &self,
        route: &str,
        parent: &str,
        kind: &str,
    ) -> Result<Option<Value>> {
        let named = format!("httproute/{route}");
        let object = self.get(if route.contains('/') { route } else { &named })?;
        let parents = object.pointer("/status/parents").and_then(Value::as_array).cloned();
        let is_meant = |one: &Value| {
            one.pointer("/parentRef/name").and_then(Value::as_str) == Some(parent)
                && one.get("controllerName").and_then(Value::as_str) == Some(CONTROLLER)
        };
        let parent = parents.unwrap_or_default().into_iter().find(is_meant);
        Ok(parent.and_then(|one| find(one.get("conditions"), kind)))
    }

    /// What a policy says to one of its targets.
    pub(crate) fn target_condition(&self, policy: &str, target: &str) -> Result<Option<Value>> {
        let object = self.get(policy)?;
        let ancestors = object.pointer("/status/ancestors").and_then(Value::as_array).cloned();
        let is_meant = |one: &Value| {
            one.pointer("/ancestorRef/name").and_then(Value::as_str) == Some(target)
                && one.get("controllerName").and_then(Value::as_str) == Some(CONTROLLER)
        };
        let ancestor = ancestors.unwrap_or_default().into_iter().find(is_meant);
        Ok(ancestor.and_then(|one| find(one.get("conditions"), "Accepted")))
    }

    pub(crate) fn target_hears(&self, policy: &str, target: &str, says: &Says<'_>) -> Result<()> {
        says_so(says, || self.target_condition(policy, target))
    }

    pub(crate) fn service_says(&self, service: &str, says: &Says<'_>) -> Result<()> {
        says_so(says, || self.bound(service))
    }

    pub(crate) fn policy_says(&self, policy: &str, kind: &str, says: &Says<'_>) -> Result<()> {
        self.object_says(&format!("authorizationpolicy/{policy}"), kind, says)
    }

    pub(crate) fn object_says(&self, object: &str, kind: &str, says: &Says<'_>) -> Result<()> {
        says_so(says, || self.condition(object, kind))
    }

    pub(crate) fn route_says(
        &self,
        route: &str,
        parent: &str,
        kind: &str,
        says: &Says<'_>,
    ) -> Result<()> {
        says_so(says, || self.route_condition(route, parent, kind))
    }

    /// Writes an entry of somebody else into the status of a route.
    pub(crate) fn another_controller_speaks(&self, route: &str) -> Result<()> {
        let object = self.get(route)?;
        let parents = object.pointer("/status/parents").and_then(Value::as_array).cloned();
        let mut parents = parents.context("no status.parents")?;
        let reference = parents.first().and_then(|one| one.get("parentRef")).cloned();
        parents.push(json!({
            "parentRef": reference, "controllerName": "example.com/other", "conditions": [{
                "type": "Accepted", "status": "False", "reason": "Other", "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }],
        }));
        let patch = json!({ "status": { "parents": parents } }).to_string();
        self.patch_status(route, &patch)
    }

    /// Changes an object's status as somebody else.
    pub(crate) fn patch_status(&self, object: &str, patch: &str) -> Result<()> {
        let arguments = ["patch", object, "--subresource=status", "--type=merge", "--patch", patch];
        self.kubectl(&arguments).map(drop)
    }

    /// A waypoint that runs in a pod with a network of its own.
    pub(crate) fn waypoint_pod(&self, name: &str, gateway: &str) -> Result<WaypointPod> {
        let pod = WaypointPod::new(self.plane)?;
        let address = pod.address;
        self.apply(&format!(
            "apiVersion: v1\nkind: Pod\n\
             metadata: {{name: {name}, \
             labels: {{gateway.networking.k8s.io/gateway-name: {gateway}}}}}\n\
             spec: {{containers: [{{name: proxy, image: none}}]}}\n"
        ))?;
        self.plane.apply_status(&format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: {}}}\n\
             status: {{phase: Running, podIP: {address}, podIPs: [{{ip: {address}}}], \
             conditions: [{{type: Ready, status: \"True\"}}]}}\n",
            self.namespace
        ))?;
        pod.start(self, name, gateway)
    }

    fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.plane.kubectl(&[&["--namespace", &*self.namespace], arguments].concat())
    }
}

/// A waypoint's process, in a network namespace that this one reaches.
pub(crate) struct WaypointPod {
    // Dropped in this order: first what runs inside.
    process: Option<Process>,
    door: Door,
    netns: Netns,
    address: IpAddr,
}

impl WaypointPod {
    fn new(plane: &ControlPlane) -> Result<Self> {
        static LAST: AtomicU8 = AtomicU8::new(0);
        let number = LAST.fetch_add(4, Ordering::Relaxed);
        let name = format!("wps-{}-{number}", std::process::id());
        let mut made = Netns::create(std::slice::from_ref(&name))?;
        let netns = made.pop().context("no namespace")?;
        let [near, far] = [1, 2].map(|host| Ipv4Addr::new(198, 18, block(), number + host));
        let link = format!("wps{}x{number}", std::process::id() % 100_000);
        netns.ip(&format!(
            "link set lo up\nlink add eth0 type veth peer name {link} netns {}\n\
             address add {far}/30 dev eth0\nlink set eth0 up\n",
            std::process::id()
        ))?;
        let near = format!("address add {near}/30 dev {link}\nlink set {link} up\n");
        command::run_with_input("ip", &["-batch", "-"], &near)?;
        let door = plane.door_in(&netns)?;
        Ok(Self { process: None, door, netns, address: far.into() })
    }

    fn start(mut self, stage: &Stage, name: &str, gateway: &str) -> Result<Self> {
        let directory = stage.plane.directory().join(&stage.namespace);
        fs::create_dir_all(&directory)?;
        let (root, token) = (directory.join("root.pem"), directory.join("token"));
        // Nobody signs its certificate; what it applies it says anyway.
        let made = rcgen::generate_simple_self_signed(["nobody".to_owned()])?;
        fs::write(&root, made.cert.pem())?;
        fs::write(&token, "nobody's")?;
        let arguments: Vec<OsString> = vec![
            "proxy".into(),
            "--kubeconfig".into(),
            self.door.kubeconfig().into(),
            "--gateway".into(),
            format!("{}/{gateway}", stage.namespace).into(),
            "--pod".into(),
            format!("{}/{name}", stage.namespace).into(),
            "--ca-address".into(),
            "127.0.0.1:1".into(),
            "--ca-root".into(),
            root.into(),
            "--ca-token".into(),
            token.into(),
            "--workers".into(),
            "2".into(),
            "--status-listen".into(),
            format!("{}:{STATUS_PORT}", self.address).into(),
        ];
        let program = product("waypointd")?;
        let process = Process::start(&self.netns, name, &directory, &program, &arguments)?;
        self.process = Some(process);
        Ok(self)
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        self.process.as_ref().context("it does not run")?.signal(signal)
    }
}

/// The part of the addresses that tells this program's pods from those of another that runs now.
fn block() -> u8 {
    u8::try_from(std::process::id() % 256).unwrap_or_default()
}

/// The condition of a type.
fn find(conditions: Option<&Value>, kind: &str) -> Option<Value> {
    let conditions = conditions.and_then(Value::as_array)?;
    let is_meant = |one: &&Value| one.get("type").and_then(Value::as_str) == Some(kind);
    conditions.iter().find(is_meant).cloned()
}

/// Waits until a condition says this.
fn says_so(
    (status, reason, message): &Says<'_>,
    ask: impl Fn() -> Result<Option<Value>>,
) -> Result<()> {
    let expected = [&*format!("{status:?}"), reason, message];
    let mut last = None;
    let waited = until(&format!("{expected:?}"), || {
        last = ask()?;
        let text = |key| last.as_ref()?.get(key)?.as_str();
        Ok(["status", "reason", "message"].map(text) == expected.map(Some))
    });
    waited.with_context(|| format!("last seen: {last:?}"))
}

/// Waits for what a controller is to bring about.
pub(crate) fn until(what: &str, holds: impl FnMut() -> Result<bool>) -> Result<()> {
    wait::until_true(what, SOON * 2, holds)
}

/// The controller of all stories, which lives as long as this program.
fn controller(plane: &ControlPlane) -> Result<()> {
    static RUNNING: OnceLock<Result<()>> = OnceLock::new();
    let running = RUNNING.get_or_init(|| {
        let kubeconfig = Some(plane.kubeconfig().to_owned());
        let access = Access { kubeconfig, ..Access::default() };
        thread::Builder::new().spawn(|| run(access))?;
        Ok(())
    });
    running.as_ref().copied().map_err(|error| anyhow!("{error:#}"))
}

/// Follows the cluster and writes status.
fn run(access: Access) -> Result<()> {
    let runtime = Builder::new_multi_thread().enable_all().worker_threads(2).build()?;
    runtime.block_on(async {
        let client = cluster::connect(&access).await?;
        let source = Source::Cluster(cluster::Place::new(access, Scope::Whole));
        let settings = Settings { source, waypoints: Served::ByStatus, ..Settings::new("") };
        let token = CancellationToken::new();
        let feed = sync::watch(settings, token.clone()).await?;
        let status = Status::new(client, STATUS_PORT, &Registry::new());
        status.run(feed.states.clone(), token).await;
        Ok(())
    })
}

/// A waypoint's Gateway.
pub(crate) fn gateway(name: &str, takes: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n\
         metadata: {{name: {name}, labels: {{istio.io/waypoint-for: {takes}}}}}\n\
         spec: {{gatewayClassName: istio-waypoint, \
         listeners: [{{name: mesh, port: 15008, protocol: HBONE}}]}}\n"
    )
}

/// A Service that asks for a waypoint, or for none.
pub(crate) fn service(name: &str, waypoint: &str) -> String {
    let label = match waypoint {
        "" => "app: any".to_owned(),
        waypoint => format!("istio.io/use-waypoint: {waypoint}"),
    };
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, labels: {{{label}}}}}\n\
         spec: {{ports: [{{port: 80}}]}}\n"
    )
}

/// A route of Services.
pub(crate) fn route(name: &str, parents: &[&str], backend: &str) -> String {
    let parent = |name: &&str| format!("{{group: '', kind: Service, name: {name}, port: 80}}");
    let parents = parents.iter().map(parent).collect::<Vec<_>>().join(", ");
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: {name}}}\n\
         spec: {{parentRefs: [{parents}], rules: [{{matches: [{{path: {{value: /old}}}}], \
         backendRefs: [{{name: {backend}, port: 80}}]}}]}}\n"
    )
}

const CONTROLLER: &str = "istio.io/mesh-controller";
