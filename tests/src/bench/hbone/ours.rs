//! Our waypoint, its certificate authority, and the manifests that both read.

use std::{fs, net::IpAddr};

use anyhow::Result;

use super::{
    ca::{self, Ca, identity},
    stage::{self, Backends, Stage, at},
    subject::{Alive, Running},
    target::Target,
    work::Work,
};
use crate::{
    lab::object::SERVER_PORT,
    wire::{Desk, tunnel::PORT},
};

/// Starts it, with the backend that the work needs.
pub(super) fn start(work: Work, stage: &Stage) -> Result<Running> {
    let directory = stage.directory("ours");
    let manifests = directory.join("manifests");
    fs::create_dir_all(&manifests)?;
    fs::write(manifests.join("bench.yaml"), objects(work))?;
    let daemon = stage.daemon("ours-ca")?;
    let ca = Ca::start((stage.netns(), at(CA, CA_PORT)), daemon, &directory, &manifests)?;
    let [waypoint, backend, client] = ["waypoint", "backend", "client"].map(|name| ca.desk(name));
    let token = directory.join("waypoint.token");
    fs::write(&token, &waypoint?.token)?;
    let mut proxy = stage.daemon("ours-proxy")?;
    let mut line = ca.proxy_arguments(&manifests, &token);
    let port = LISTEN.to_string();
    line.extend(["--no-access-log", "--listen-port", &port].map(Into::into));
    line.extend(["--admin".into(), ca::admin(&proxy)]);
    proxy.launch(stage.netns(), &line)?;
    proxy.wait_until_ready()?;
    let process = proxy.process()?.id();
    stage::pin(process)?;
    let mut backends = Backends::new();
    stage.serve_plain(&mut backends, at(BACKEND, SERVER_PORT))?;
    let issue =
        |desk: Desk, account| stage.run(async move { desk.issue(&identity(account)).await });
    let credentials = issue(backend?, "backend")?;
    stage.serve_hbone(&mut backends, at(BACKEND, PORT), &credentials)?;
    let proof = Some((identity("waypoint"), issue(client?, "client")?));
    let address = at(WAYPOINT, LISTEN);
    let target = Target { address, proof, authority: VIRTUAL.to_owned(), shape: work.shape() };
    let alive = Alive::Ours { _proxy: proxy, _ca: ca };
    Ok(Running { target, process, backends, _alive: alive })
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
const VIRTUAL: &str = "10.96.0.1:80";
const VIRTUAL_ADDRESS: &str = "10.96.0.1";
