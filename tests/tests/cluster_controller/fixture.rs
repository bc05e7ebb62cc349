//! A controller as a process, and what a story does with its cluster.

use std::{
    ffi::OsString,
    fs,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::ExitStatus,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;
use waypoint_tests::{
    kube::ControlPlane,
    lab::{
        command::product,
        http::{Connection, Request},
        metrics::Metrics,
        process::Process,
        wait::{SOON, until, until_true},
    },
};

/// A running controller; killed when dropped.
pub(crate) struct Controller {
    process: Process,
    folder: PathBuf,
    lease: String,
}

impl Controller {
    /// Starts one; `revision` is what it serves, and `name` is its own.
    pub(crate) fn start(story: &Story<'_>, name: &str) -> Result<Self> {
        Self::start_as(story, name, (&story.revision, story.plane.kubeconfig()))
    }

    /// The same of another revision.
    pub(crate) fn start_of(story: &Story<'_>, name: &str, revision: &str) -> Result<Self> {
        Self::start_as(story, name, (revision, story.plane.kubeconfig()))
    }

    /// The same with these credentials.
    fn start_as(
        story: &Story<'_>,
        name: &str,
        (revision, kubeconfig): (&str, &Path),
    ) -> Result<Self> {
        let folder = story.folder.join(name);
        fs::create_dir_all(&folder)?;
        let words = [
            "controller",
            "--ca-listen",
            "127.0.0.1:0",
            "--root-namespace",
            &story.namespace,
            "--namespace",
            &story.namespace,
            "--identity",
            name,
            "--revision",
            revision,
            "--waypoint-image",
            "example.org/waypoint:1",
        ];
        let mut arguments: Vec<OsString> = words.map(OsString::from).into();
        arguments.extend(["--kubeconfig".into(), kubeconfig.into()]);
        arguments.extend(["--ca-dir".into(), story.plane.directory().join("authority").into()]);
        arguments.push(format!("--admin=unix:{}", folder.join("admin").display()).into());
        let process =
            Process::start_here("controller", &folder, &product("waypointd")?, &arguments)?;
        Ok(Self { process, folder, lease: lease_of(revision) })
    }

    /// Waits until it leads.
    pub(crate) fn leads(&mut self) -> Result<()> {
        let led = until_true("a leader", SOON * 6, || {
            self.process.is_alive()?;
            let lease = [("lease", self.lease.as_str())];
            Ok(self.metrics().is_ok_and(|all| all.sum("waypoint_controller_leader", &lease) > 0.0))
        });
        led.with_context(|| self.process.output().unwrap_or_default())
    }

    /// Writes that changed something, so far.
    pub(crate) fn writes(&self) -> Result<f64> {
        let metrics = self.metrics()?;
        let of = |outcome| metrics.sum(WRITES, &[("outcome", outcome)]);
        Ok(of("written") + of("deleted"))
    }

    /// Writes that ended like this, so far.
    pub(crate) fn outcomes(&self, outcome: &str) -> Result<f64> {
        Ok(self.metrics()?.sum(WRITES, &[("outcome", outcome)]))
    }

    /// Waits until it has not written for a while, and says how often it did.
    pub(crate) fn settled(&self) -> Result<f64> {
        let (mut last, mut since) = (self.writes()?, std::time::Instant::now());
        until("an end of writing", SOON * 4, || {
            let now = self.writes()?;
            if now > last {
                (last, since) = (now, std::time::Instant::now());
            }
            Ok((since.elapsed() > QUIET).then_some(last))
        })
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(mut self) -> Result<ExitStatus> {
        self.process.signal(Signal::SIGTERM)?;
        self.process.wait(SOON * 3)
    }

    fn metrics(&self) -> Result<Metrics> {
        let stream = UnixStream::connect(self.folder.join("admin"))?;
        stream.set_read_timeout(Some(SOON))?;
        let mut request = Request::get("admin");
        "/metrics".clone_into(&mut request.path);
        let reply = Connection::over(stream).exchange(&request)?;
        ensure!(reply.status == 200, "/metrics answered {}", reply.status);
        Ok(Metrics::parse(&reply.text()))
    }
}

/// A story's own namespace and revision in a cluster.
pub(crate) struct Story<'p> {
    pub(crate) plane: &'p ControlPlane,
    pub(crate) namespace: String,
    pub(crate) revision: String,
    folder: PathBuf,
}

impl<'p> Story<'p> {
    /// A namespace of this cluster, whose Gateways nobody else sees to.
    pub(crate) fn begin(plane: &'p ControlPlane) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let namespace = plane.namespace("shop")?;
        let revision = format!("r{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = plane.directory().join(&revision);
        let label = format!("istio.io/rev={revision}");
        plane.kubectl(&["label", "namespace", &namespace, &label])?;
        Ok(Self { plane, namespace, revision, folder })
    }

    /// Makes a Gateway; `more` is added to its `metadata` and `spec`.
    pub(crate) fn gateway(&self, name: &str, metadata: &str, spec: &str) -> Result<()> {
        let listeners = "listeners: [{ name: mesh, port: 15008, protocol: HBONE }]";
        let listeners = if spec.contains("listeners:") { "" } else { listeners };
        self.apply(&format!(
            "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: {name}
  {metadata}
spec:
  gatewayClassName: istio-waypoint
  {listeners}
  {spec}
"
        ))
    }

    /// Applies objects of the namespace.
    pub(crate) fn apply(&self, yaml: &str) -> Result<()> {
        self.plane.apply(
            &yaml.replace("metadata:\n", &format!("metadata:\n  namespace: {}\n", self.namespace)),
        )
    }

    /// Says that a pod of a Service is ready, as the EndpointSlice controller would.
    pub(crate) fn endpoint(&self, service: &str, ready: bool) -> Result<()> {
        self.apply(&format!(
            "
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: {service}-1
  labels: {{ kubernetes.io/service-name: {service} }}
addressType: IPv4
endpoints: [{{ addresses: [10.1.2.3], conditions: {{ ready: {ready} }} }}]
ports: [{{ name: mesh, port: 15008 }}]
"
        ))
    }

    /// An object, if it is there.
    pub(crate) fn get(&self, kind: &str, name: &str) -> Result<Option<Value>> {
        let namespace = &self.namespace;
        let arguments = ["get", kind, name, "-n", namespace, "-o", "json", "--ignore-not-found"];
        let arguments = [&arguments[..], &["--show-managed-fields"]].concat();
        let text = self.plane.kubectl(&arguments)?;
        Ok(if text.trim().is_empty() { None } else { Some(serde_json::from_str(&text)?) })
    }

    /// Waits until an object is there, and is like that.
    pub(crate) fn until(
        &self,
        kind: &str,
        name: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let mut last = None;
        let found = until(&format!("{kind} {name} as expected"), SOON * 4, || {
            last = self.get(kind, name)?;
            Ok(last.clone().filter(&holds))
        });
        found.with_context(|| format!("last seen: {last:#?}"))
    }

    /// Waits until a condition of a Gateway has this status; returns its reason and message.
    pub(crate) fn condition(
        &self,
        gateway: &str,
        kind: &str,
        status: &str,
    ) -> Result<(String, String)> {
        let gateway =
            self.until("gateway", gateway, |object| condition(object, kind, status).is_some())?;
        let found = condition(&gateway, kind, status).context("it is gone again")?;
        ensure!(
            found["observedGeneration"] == gateway["metadata"]["generation"],
            "it is about another generation: {found}"
        );
        let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
        Ok((text("reason"), text("message")))
    }

    /// Waits until an Event tells this.
    pub(crate) fn event(&self, reason: &str) -> Result<Value> {
        let namespace = &self.namespace;
        until(&format!("an Event {reason}"), SOON * 2, || {
            let text = self.plane.kubectl(&[
                "get",
                "events.events.k8s.io",
                "-n",
                namespace,
                "-o",
                "json",
            ])?;
            let all: Value = serde_json::from_str(&text)?;
            let items = all["items"].as_array().cloned().unwrap_or_default();
            Ok(items.into_iter().find(|event| event["reason"] == reason))
        })
    }

    /// Runs kubectl in the namespace.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.plane.kubectl(&[arguments, &["-n", &self.namespace]].concat())
    }
}

/// The Lease of the Gateways of a revision that is not the default one.
pub(crate) fn lease_of(revision: &str) -> String {
    format!("waypoint-controller-{revision}")
}

fn condition(gateway: &Value, kind: &str, status: &str) -> Option<Value> {
    let all = gateway.pointer("/status/conditions")?.as_array()?;
    all.iter().find(|one| one["type"] == kind && one["status"] == status).cloned()
}

/// The count of writes.
const WRITES: &str = "waypoint_controller_writes_total";
/// How long nothing is written before all is.
const QUIET: std::time::Duration = std::time::Duration::from_secs(3);
