//! Our waypoint, its certificate authority, and the manifests that both read.

use std::{ffi::OsString, fs, net::IpAddr, path::Path};

use anyhow::Result;

use super::{
    stage::{self, Backends, Stage, at},
    subject::{Alive, Running},
    target::Target,
    work::Work,
};
use crate::{
    lab::{Daemon, command, object::SERVER_PORT},
    wire::{Credentials, Desk, tunnel::PORT},
};

/// Starts it, with the backend that the work needs.
pub(super) fn start(work: Work, stage: &Stage) -> Result<Running> {
    let directory = stage.directory("ours");
    let manifests = directory.join("manifests");
    fs::create_dir_all(&manifests)?;
    fs::write(manifests.join("bench.yaml"), objects(work))?;
    let ca = Ca { stage, directory: &directory };
    let controller = ca.start(&manifests)?;
    let [waypoint, backend, client] = ["waypoint", "backend", "client"].map(|name| ca.desk(name));
    let token = directory.join("waypoint.token");
    fs::write(&token, &waypoint?.token)?;
    let mut proxy = stage.daemon("ours-proxy")?;
    let mut line = ca.proxy_arguments(&manifests, &token);
    line.extend(["--admin".into(), admin(&proxy)]);
    proxy.launch(stage.netns(), &line)?;
    proxy.wait_until_ready()?;
    let process = proxy.process()?.id();
    stage::pin(process)?;
    let mut backends = Backends::new();
    stage.serve_plain(&mut backends, at(BACKEND, SERVER_PORT))?;
    let credentials = ca.credentials(&backend?, "backend")?;
    stage.serve_hbone(&mut backends, at(BACKEND, PORT), &credentials)?;
    let proof = Some((identity("waypoint"), ca.credentials(&client?, "client")?));
    let address = at(WAYPOINT, LISTEN);
    let target = Target { address, proof, authority: VIRTUAL.to_owned(), shape: work.shape() };
    let alive = Alive::Ours { _proxy: proxy, _controller: controller };
    Ok(Running { target, process, backends, _alive: alive })
}

/// The certificate authority, on the stage.
struct Ca<'s> {
    stage: &'s Stage,
    directory: &'s Path,
}

impl Ca<'_> {
    fn start(&self, manifests: &Path) -> Result<Daemon> {
        let listen = at(CA, CA_PORT).to_string();
        let ca = self.directory.join("ca");
        let mut line: Vec<OsString> = vec!["controller".into(), "--manifests".into()];
        line.extend([manifests.into(), "--ca-dir".into(), ca.into()]);
        line.extend(["--ca-listen", &listen, "--ca-name", CA_NAME].map(OsString::from));
        let mut controller = self.stage.daemon("ours-ca")?;
        line.extend(["--admin".into(), admin(&controller)]);
        controller.launch(self.stage.netns(), &line)?;
        controller.wait_until_ready()?;
        Ok(controller)
    }

    /// Where a service account gets its certificate.
    fn desk(&self, account: &str) -> Result<Desk> {
        let ca = self.directory.join("ca");
        let program = command::product("waypointd")?.display().to_string();
        let account = format!("bench/{account}");
        let folder = ca.display().to_string();
        let line = ["token", "--ca-dir", &folder, "--service-account", &account];
        let token = command::run(&program, &line)?.trim().to_owned();
        let root = fs::read_to_string(ca.join("root-cert.pem"))?;
        Ok(Desk { address: at(CA, CA_PORT), name: CA_NAME.to_owned(), root, token })
    }

    fn credentials(&self, desk: &Desk, account: &str) -> Result<Credentials> {
        self.stage.run(desk.issue(&identity(account)))
    }

    fn proxy_arguments(&self, manifests: &Path, token: &Path) -> Vec<OsString> {
        let (ca, port) = (at(CA, CA_PORT).to_string(), LISTEN.to_string());
        let mut line: Vec<OsString> =
            vec!["proxy".into(), "--gateway".into(), "bench/waypoint".into()];
        line.extend(["--pod", "bench/waypoint", "--workers", "1"].map(OsString::from));
        line.extend(["--no-access-log", "--listen-port", &port].map(OsString::from));
        line.extend(["--ca-address", &ca, "--ca-name", CA_NAME].map(OsString::from));
        let root = self.directory.join("ca/root-cert.pem");
        let files = [("--manifests", manifests), ("--ca-root", &root), ("--ca-token", token)];
        line.extend(files.into_iter().flat_map(|(option, path)| [option.into(), path.into()]));
        line
    }
}

/// Where a process answers questions.
fn admin(daemon: &Daemon) -> OsString {
    format!("unix:{}", daemon.admin().display()).into()
}

fn identity(account: &str) -> String {
    format!("spiffe://cluster.local/ns/bench/sa/{account}")
}

/// A namespace with a waypoint, and a Service behind it; its pod is enrolled where tunnels lead to
/// it.
fn objects(work: Work) -> String {
    let mode = if work == Work::HboneToHbone { "ambient" } else { "none" };
    let gateway = "gateway.networking.k8s.io/gateway-name: waypoint";
    let [waypoint, backend] = [WAYPOINT, BACKEND].map(|number| at(number, 0).ip());
    format!(
        "\
apiVersion: v1
kind: Namespace
metadata:
  name: bench
  labels: {{istio.io/dataplane-mode: ambient, istio.io/use-waypoint: waypoint}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: waypoint, namespace: bench}}
spec:
  gatewayClassName: istio-waypoint
  listeners:
  - {{name: mesh, port: 15008, protocol: HBONE}}
status:
  addresses:
  - {{type: IPAddress, value: '{waypoint}'}}
---
apiVersion: v1
kind: Service
metadata: {{name: backend, namespace: bench}}
spec:
  clusterIP: {VIRTUAL_ADDRESS}
  clusterIPs: [{VIRTUAL_ADDRESS}]
  ipFamilies: [IPv4]
  selector: {{app: backend}}
  ports:
  - {{name: http, port: 80, targetPort: {SERVER_PORT}}}
---
{}---
{}",
        pod("waypoint", waypoint, gateway),
        pod("backend", backend, &format!("app: backend, istio.io/dataplane-mode: {mode}")),
    )
}

fn pod(name: &str, address: IpAddr, labels: &str) -> String {
    format!(
        "\
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: bench, uid: uid-of-{name}, labels: {{{labels}}}}}
spec:
  serviceAccountName: {name}
  nodeName: node
  containers:
  - {{name: bench, image: bench}}
status:
  phase: Running
  podIP: {address}
  podIPs:
  - ip: {address}
  conditions:
  - {{type: Ready, status: 'True'}}
"
    )
}

/// Their numbers on the stage.
const CA: u8 = 10;
const WAYPOINT: u8 = 11;
const BACKEND: u8 = 12;
/// Beside the port on which the backend listens, as both have the namespace to themselves.
const LISTEN: u16 = 15018;
const CA_PORT: u16 = 15012;
const CA_NAME: &str = "waypoint.waypoint-system.svc";
const VIRTUAL: &str = "10.96.0.1:80";
const VIRTUAL_ADDRESS: &str = "10.96.0.1";
