//! A directory and a cluster with the same objects are the same mesh.

use anyhow::{Result, ensure};
use waypoint_tests::kube::ControlPlane;
use waypoint_user::{
    mesh::snapshot::Snapshot,
    sync::{self, Served, Settings, cluster::Scope},
};

use crate::reader::settings;

#[test]
fn the_same_objects_by_directory_and_by_cluster_are_the_same_mesh() -> Result<()> {
    let plane = ControlPlane::start()?;
    let shop = plane.namespace("equal")?;
    plane.apply(&OBJECTS.replace("SHOP", &shop))?;
    plane.apply_status(&STATUS.replace("SHOP", &shop))?;
    let kinds = plane.kubectl(&["get", KINDS, "--all-namespaces", "--output=json"])?;
    let directory = plane.directory().join("equal");
    std::fs::create_dir(&directory)?;
    std::fs::write(directory.join("all.json"), kinds)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let read = |settings: Settings| runtime.block_on(sync::read(&settings));
    let by_directory = Settings { waypoints: Served::ByStatus, ..Settings::new(directory) };
    let (by_directory, said_there) = read(by_directory)?;
    let (by_cluster, said_here) = read(settings(plane.kubeconfig(), Scope::Whole))?;
    ensure!(counts(&by_cluster) == [1, 2, 1, 1, 1, 1], "not everything is there: {by_cluster:#?}");
    ensure!(by_directory == by_cluster, "{by_directory:#?}\n\n{by_cluster:#?}");
    let said = said_here.iter().filter(|(object, _)| object.kind != "Source");
    ensure!(said.eq(said_there.iter()), "{said_there:#?}\n\n{said_here:#?}");
    Ok(())
}

/// How many there are of each kind in the test's own objects.
fn counts(snapshot: &Snapshot) -> [usize; 6] {
    [
        snapshot.services().keys().filter(|name| name.name == "reviews").count(),
        snapshot.workloads().len(),
        snapshot.waypoints().len(),
        snapshot.routes().len(),
        snapshot.policies().len(),
        snapshot.nodes().len(),
    ]
}

const KINDS: &str = "nodes,namespaces,pods,services,endpointslices,gatewayclasses,gateways,\
    httproutes,referencegrants,authorizationpolicies,peerauthentications";

const OBJECTS: &str = "
apiVersion: v1
kind: Node
metadata: {name: a, labels: {topology.kubernetes.io/zone: z}}
---
apiVersion: v1
kind: Namespace
metadata:
  name: SHOP
  labels: {istio.io/dataplane-mode: ambient, istio.io/use-waypoint: waypoint}
  annotations: {waypoint.dev/fail-mode: closed}
---
apiVersion: v1
kind: Pod
metadata:
  name: reviews-1
  namespace: SHOP
  labels: {app: reviews, version: v1}
  annotations: {waypoint.dev/admission: strict, other: thrown-away}
spec:
  nodeName: a
  containers: [{name: c, image: i, ports: [{name: web, containerPort: 9080}]}]
---
apiVersion: v1
kind: Pod
metadata:
  name: waypoint-1
  namespace: SHOP
  labels: {gateway.networking.k8s.io/gateway-name: waypoint}
spec: {nodeName: a, hostNetwork: false, containers: [{name: c, image: i}]}
---
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: SHOP}
spec: {selector: {app: reviews}, ports: [{name: web, port: 80, targetPort: web}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: reviews-x, namespace: SHOP, labels: {kubernetes.io/service-name: reviews}}
addressType: IPv4
ports: [{name: web, port: 9080}]
endpoints:
- addresses: [10.1.0.1]
  nodeName: a
  conditions: {ready: true}
  targetRef: {kind: Pod, name: reviews-1, namespace: SHOP}
- addresses: [10.1.0.9]
  conditions: {ready: false}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: istio-waypoint}
spec: {controllerName: istio.io/mesh-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: waypoint, namespace: SHOP, labels: {istio.io/waypoint-for: all}}
spec:
  gatewayClassName: istio-waypoint
  listeners: [{name: mesh, port: 15008, protocol: HBONE}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: reviews, namespace: SHOP}
spec:
  parentRefs: [{kind: Service, group: '', name: reviews, port: 80}]
  rules:
  - matches: [{path: {type: PathPrefix, value: /a}}]
    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: a, value: b}]}}]
    backendRefs: [{name: reviews, port: 80, weight: 3}]
---
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: all, namespace: SHOP}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default}]
  to: [{group: '', kind: Service}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: deny, namespace: SHOP}
spec:
  targetRefs: [{kind: Service, group: '', name: reviews}]
  action: DENY
  rules: [{from: [{source: {namespaces: [bad]}}], to: [{operation: {paths: ['/x*']}}]}]
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: SHOP}
spec: {mtls: {mode: STRICT}}
";

const STATUS: &str = "
apiVersion: v1
kind: Node
metadata: {name: a}
status: {addresses: [{type: InternalIP, address: 192.168.0.1}, {type: Hostname, address: a}]}
---
apiVersion: v1
kind: Pod
metadata: {name: reviews-1, namespace: SHOP}
status:
  phase: Running
  podIP: 10.1.0.1
  podIPs: [{ip: 10.1.0.1}]
  conditions: [{type: Initialized, status: 'True'}, {type: Ready, status: 'True'}]
---
apiVersion: v1
kind: Pod
metadata: {name: waypoint-1, namespace: SHOP}
status:
  phase: Running
  podIP: 10.1.0.2
  podIPs: [{ip: 10.1.0.2}]
  conditions: [{type: Ready, status: 'False'}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: waypoint, namespace: SHOP}
status: {addresses: [{type: IPAddress, value: 10.1.0.2}]}
";
