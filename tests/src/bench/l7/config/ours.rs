//! Our manifests: a namespace with a waypoint, a Service behind it, and what the scene wants of it.

use std::net::{IpAddr, SocketAddr};

use super::{File, Protocol, Routes, Scene, path_of, path_of_rule, tenant_of};
use crate::bench::l7::load::TENANT;

/// Its files, for a waypoint whose own address is this; it is started with the directory of
/// `bench.yaml`. Its Service has the scene's address.
pub fn files(scene: &Scene, waypoint: IpAddr) -> Vec<File> {
    let objects =
        [mesh(), service(scene), pod("waypoint", waypoint), pod("backend", scene.backend.ip())];
    let gateway = format!(
        "\
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
"
    );
    let all = objects.into_iter().chain([gateway]).chain(rules(scene));
    vec![("bench.yaml", all.collect::<Vec<_>>().join("---\n"))]
}

/// Its routes and policies, if it has any.
pub fn rules(scene: &Scene) -> Option<String> {
    let all: Vec<String> = routes(scene).into_iter().chain(policy(scene)).collect();
    (!all.is_empty()).then(|| all.join("---\n"))
}

fn mesh() -> String {
    "\
apiVersion: v1
kind: Namespace
metadata:
  name: bench
  labels: {istio.io/use-waypoint: waypoint}
"
    .to_owned()
}

fn service(scene: &Scene) -> String {
    let SocketAddr::V4(listen) = scene.listen else { return String::new() };
    let (address, port, target) = (listen.ip(), listen.port(), scene.backend.port());
    let name = match scene.protocols.1 {
        Protocol::Http1 => "http",
        Protocol::Http2 => "http2",
    };
    format!(
        "\
apiVersion: v1
kind: Service
metadata: {{name: backend, namespace: bench}}
spec:
  clusterIP: {address}
  clusterIPs: [{address}]
  ipFamilies: [IPv4]
  selector: {{app: backend}}
  ports:
  - {{name: {name}, port: {port}, targetPort: {target}}}
"
    )
}

fn pod(name: &str, address: IpAddr) -> String {
    pod_of(name, name, address, true)
}

/// A pod of an app.
pub(in crate::bench::l7) fn pod_of(
    app: &str,
    name: &str,
    address: IpAddr,
    is_ready: bool,
) -> String {
    let ready = if is_ready { "True" } else { "False" };
    format!(
        "\
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: bench, uid: uid-of-{name}, labels: {{app: {app}}}}}
spec:
  serviceAccountName: {app}
  nodeName: node
  containers:
  - {{name: bench, image: bench}}
status:
  phase: Running
  podIP: {address}
  podIPs:
  - ip: {address}
  conditions:
  - {{type: Ready, status: '{ready}'}}
"
    )
}

/// The routes, as many in each object as the Gateway API allows.
fn routes(scene: &Scene) -> Vec<String> {
    let by_path = |value: &str| format!("path: {{type: PathPrefix, value: {value}}}");
    let matches: Vec<String> = match scene.routes {
        Routes::Paths(count) => (0..count).map(|number| by_path(&path_of(number))).collect(),
        Routes::Headers(count) => {
            let header =
                |number| format!("headers: [{{name: {TENANT}, value: {}}}]", tenant_of(number));
            (0..count).map(header).collect()
        }
        Routes::None if scene.is_dressed => vec![by_path("/bench")],
        Routes::None => Vec::new(),
    };
    let port = scene.listen.port();
    let objects = matches.chunks(RULES_MAX).enumerate().map(|(number, matches)| {
        let rule = |one: &String| {
            format!(
                "  - matches:\n    - {{{one}}}\n    backendRefs:\n    - {{name: backend, port: \
                 {port}}}\n"
            )
        };
        format!(
            "\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: routes-{number:02}, namespace: bench}}
spec:
  parentRefs:
  - {{group: '', kind: Service, name: backend, port: {port}}}
  rules:
{}",
            matches.iter().map(rule).collect::<String>()
        )
    });
    objects.collect()
}

fn policy(scene: &Scene) -> Option<String> {
    let allowed: Vec<String> = if scene.is_dressed {
        vec!["/bench*".to_owned()]
    } else {
        (0..scene.rules).map(|rule| path_of_rule(rule) + "*").collect()
    };
    let rule = |path: &String| {
        format!("  - to:\n    - operation: {{methods: [GET], paths: ['{path}']}}\n")
    };
    (!allowed.is_empty()).then(|| {
        format!(
            "\
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: allowed, namespace: bench}}
spec:
  targetRefs:
  - {{group: '', kind: Service, name: backend}}
  action: ALLOW
  rules:
{}",
            allowed.iter().map(rule).collect::<String>()
        )
    })
}

/// Rules of one HTTPRoute.
const RULES_MAX: usize = 16;
