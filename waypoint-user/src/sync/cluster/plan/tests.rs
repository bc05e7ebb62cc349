use std::{net::SocketAddr, sync::Arc};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    mesh::{snapshot::Settings, workload::Workload},
    select::{
        Authority, Capture, Inbound, Outbound, captures_service, captures_workload, inbound,
        outbound,
    },
    sync::{Served, objects_in, translate},
};

/// A namespace or node: of each there are two.
type Side = bool;

#[derive(Clone, Debug)]
struct PodOf {
    home: Side,
    node: Side,
    asks: Option<u8>,
    instance: Option<u8>,
    host: bool,
    ready: bool,
}

#[derive(Clone, Debug)]
struct ServiceOf {
    home: Side,
    asks: Option<u8>,
    /// Its distribution, by number.
    near: u8,
    listed: bool,
}

#[derive(Clone, Debug)]
struct GatewayOf {
    home: Side,
    takes: u8,
    on_nodes: bool,
    /// Where it is: nowhere, at a pod's address, or elsewhere.
    at: u8,
    everyone: bool,
}

#[derive(Clone, Debug)]
struct Cluster {
    pods: Vec<PodOf>,
    services: Vec<ServiceOf>,
    gateways: Vec<GatewayOf>,
    /// What each namespace asks for, and its fail mode.
    homes: [(Option<u8>, u8); 2],
    mesh: bool,
}

fn cluster() -> impl Strategy<Value = Cluster> {
    let asks = || proptest::option::weighted(0.3, 0..3_u8);
    let often = || proptest::bool::weighted(0.9);
    let rarely = || proptest::bool::weighted(0.1);
    let pod = (
        any::<bool>(),
        any::<bool>(),
        asks(),
        proptest::option::weighted(0.2, 0..2_u8),
        rarely(),
        often(),
    );
    let pod = pod.prop_map(|(home, node, asks, instance, host, ready)| PodOf {
        home,
        node,
        asks,
        instance,
        host,
        ready,
    });
    let service = (any::<bool>(), asks(), 0..3_u8, often());
    let service =
        service.prop_map(|(home, asks, near, listed)| ServiceOf { home, asks, near, listed });
    let gateway = (any::<bool>(), 0..4_u8, rarely(), 0..3_u8, often());
    let gateway = gateway.prop_map(|(home, takes, on_nodes, at, everyone)| GatewayOf {
        home,
        takes,
        on_nodes,
        at,
        everyone,
    });
    let home = || (asks(), 0..3_u8);
    (
        proptest::collection::vec(pod, 1..8),
        proptest::collection::vec(service, 0..4),
        proptest::collection::vec(gateway, 0..3),
        [home(), home()],
        rarely(),
    )
        .prop_map(|(pods, services, gateways, homes, mesh)| Cluster {
            pods,
            services,
            gateways,
            homes,
            mesh,
        })
}

fn home(side: Side) -> &'static str {
    if side { "x" } else { "y" }
}

/// Labels that ask for a waypoint: of the first namespace, or of a name that nobody has.
fn asking(asks: Option<u8>) -> Value {
    match asks {
        None => json!({}),
        Some(number) => json!({
            USE_WAYPOINT: format!("w{number}"), "istio.io/use-waypoint-namespace": "x",
        }),
    }
}

fn with(mut labels: Value, key: &str, value: impl Into<Value>) -> Value {
    labels[key] = value.into();
    labels
}

impl Cluster {
    /// What the API server would hold.
    fn documents(&self) -> Vec<Value> {
        let homes = [true, false].into_iter().zip(&self.homes).map(|(side, (asks, mode))| {
            let mode = ["", "open", "closed"][usize::from(*mode)];
            let annotations =
                if mode.is_empty() { json!({}) } else { json!({"waypoint.dev/fail-mode": mode}) };
            let labels = with(asking(*asks), "istio.io/dataplane-mode", "ambient");
            let metadata =
                json!({"name": home(side), "labels": labels, "annotations": annotations});
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        });
        let nodes = ["a", "b"].map(|name| {
            let labels = json!({"topology.kubernetes.io/zone": name});
            let metadata = json!({"name": name, "labels": labels});
            json!({"apiVersion": "v1", "kind": "Node", "metadata": metadata})
        });
        let pods = self.pods.iter().enumerate().map(|(number, pod)| pod.document(number));
        let services = self.services.iter().enumerate();
        let slices = services.clone().filter(|(_, service)| service.listed);
        let slices = slices.map(|(number, service)| self.slice(number, service));
        let services = services.map(|(number, service)| service.document(number));
        let gateways = self.gateways.iter().enumerate();
        let gateways = gateways.map(|(number, gateway)| gateway.document(number));
        homes.chain(nodes).chain(pods).chain(services).chain(slices).chain(gateways).collect()
    }

    fn slice(&self, number: usize, service: &ServiceOf) -> Value {
        let pods = self.pods.iter().enumerate().filter(|(_, pod)| pod.home == service.home);
        let endpoint = |(number, pod): (usize, &PodOf)| {
            json!({
                "addresses": [address(number)], "conditions": {"ready": pod.ready},
                "targetRef": {"kind": "Pod", "name": format!("p{number}")},
            })
        };
        let endpoints: Vec<Value> = pods.map(endpoint).collect();
        let labels = json!({SERVICE_NAME: format!("s{number}")});
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {
                "name": format!("s{number}"), "namespace": home(service.home), "labels": labels,
            },
            "ports": [{"port": 80}], "endpoints": endpoints,
        })
    }
}

fn address(pod: usize) -> String {
    format!("10.0.0.{}", pod + 1)
}

impl PodOf {
    fn document(&self, number: usize) -> Value {
        let mut labels = with(asking(self.asks), "app", "any");
        if let Some(gateway) = self.instance {
            labels = with(labels, GATEWAY_NAME, format!("w{gateway}"));
        }
        let node = if self.node { "a" } else { "b" };
        let ready = if self.ready { "True" } else { "False" };
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": format!("p{number}"), "namespace": home(self.home), "labels": labels,
            },
            "spec": {"nodeName": node, "hostNetwork": self.host, "containers": []},
            "status": {
                "phase": "Running", "podIP": address(number), "podIPs": [{"ip": address(number)}],
                "conditions": [{"type": "Ready", "status": ready}],
            },
        })
    }
}

impl ServiceOf {
    fn document(&self, number: usize) -> Value {
        let mut spec = json!({
            "clusterIPs": [format!("10.1.0.{}", number + 1)], "ports": [{"port": 80}],
            "selector": {"app": "any"},
        });
        if self.near > 0 {
            let near = ["", "PreferSameZone", "PreferSameNode"][usize::from(self.near)];
            spec = with(spec, "trafficDistribution", near);
        }
        let metadata = json!({
            "name": format!("s{number}"), "namespace": home(self.home), "labels": asking(self.asks),
        });
        json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
    }
}

impl GatewayOf {
    fn document(&self, number: usize) -> Value {
        let takes = ["service", "workload", "all", "none"][usize::from(self.takes)];
        let from = if self.everyone { "All" } else { "Same" };
        let annotations =
            if self.on_nodes { json!({"waypoint.dev/placement": "node"}) } else { json!({}) };
        let addresses = match self.at {
            0 => json!([]),
            1 => json!([{"type": "IPAddress", "value": address(0)}]),
            _ => json!([{"type": "IPAddress", "value": "10.2.0.1"}]),
        };
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": {
                "name": format!("w{number}"), "namespace": home(self.home),
                "labels": {"istio.io/waypoint-for": takes}, "annotations": annotations,
            },
            "spec": {"gatewayClassName": "istio-waypoint", "listeners": [{
                "name": "mesh", "port": 15008, "protocol": "HBONE",
                "allowedRoutes": {"namespaces": {"from": from}},
            }]},
            "status": {"addresses": addresses},
        })
    }
}

/// Whether a server would send the object to who watches the selection.
fn is_in(selection: &Selection, document: &Value) -> bool {
    let text = |path: &str| document.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let labels = &document["metadata"]["labels"];
    let field = |field: &str| match field.split_once('=').unwrap() {
        ("spec.nodeName", node) => text("/spec/nodeName") == node,
        ("spec.hostNetwork", _) => document["spec"]["hostNetwork"] == true,
        ("status.podIP", address) => text("/status/podIP") == address,
        (other, _) => panic!("{other} cannot be selected by"),
    };
    document["kind"] == selection.kind.name
        && selection.namespace.as_deref().is_none_or(|home| text("/metadata/namespace") == home)
        && selection.labels.as_deref().is_none_or(|key| labels.get(key).is_some())
        && selection.fields.as_deref().is_none_or(field)
}

fn translated(documents: &[&Value], mesh: bool) -> (Objects, Snapshot) {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": documents}).to_string();
    let (objects, report) = objects_in(&[("all.json", list.as_bytes())]);
    let capture = if mesh { CaptureMode::Mesh } else { CaptureMode::Waypoint };
    let settings = Settings { capture, ..Settings::default() };
    let (snapshot, _) = translate(&objects, &settings, Served::ByStatus, report);
    (objects, snapshot)
}

/// What is read in a scope, and how many selections that took.
fn scoped(cluster: &Cluster, scope: &Scope) -> Snapshot {
    let documents = cluster.documents();
    let mut plan = first(scope);
    for _ in 0..10 {
        let wanted = |document: &&Value| plan.iter().any(|one| is_in(one, document));
        let read: Vec<&Value> = documents.iter().filter(wanted).collect();
        let (objects, snapshot) = translated(&read, cluster.mesh);
        let next = super::wanted(scope, &objects, &snapshot);
        if next == plan {
            return snapshot;
        }
        plan = next;
    }
    panic!("the plan does not settle: {plan:?}");
}

fn whole(cluster: &Cluster) -> Snapshot {
    let documents = cluster.documents();
    translated(&documents.iter().collect::<Vec<_>>(), cluster.mesh).1
}

/// Of a decision what is enforced: where it leads, and who must be there.
fn outbound_of(snapshot: &Snapshot, to: SocketAddr, client: &Workload) -> String {
    let who = |workload: Option<&Arc<Workload>>| workload.map(|one| one.identity.to_string());
    match outbound(snapshot, to, client, &mut |below| below / 2) {
        Outbound::Waypoint { waypoint, instances, .. } => {
            let at: Vec<_> = instances
                .iter()
                .map(|one| format!("{} {:?} {}", one.address, who(one.workload), one.nearness))
                .collect();
            format!("{} {at:?}", waypoint.name)
        }
        Outbound::Tunnel(reached) => {
            format!("tunnel {} {:?}", reached.address, who(reached.workload))
        }
        Outbound::Plain(reached) => format!("plain {}", reached.address),
        Outbound::Refuse(why) => format!("refuse {why:?}"),
    }
}

fn inbound_of(snapshot: &Snapshot, pod: &Workload, at: SocketAddr) -> String {
    match inbound(snapshot, pod, Authority::Address(at)) {
        Inbound::Deliver { address, destination, service, binding } => {
            let service = service.map(|service| &service.name);
            format!("{address} {destination} {service:?} {binding:?}")
        }
        other => format!("{other:?}"),
    }
}

/// What the kernel captures of a destination.
fn capture_of(capture: &Capture<'_>, fail_closed: bool) -> String {
    format!("{capture:?} {}", matches!(capture, Capture::Yes(_)) && fail_closed)
}

proptest! {
    #[test]
    fn an_agent_decides_as_if_it_read_everything(cluster in cluster()) {
        let (all, part) = (whole(&cluster), scoped(&cluster, &Scope::Node("a".to_owned())));
        let mut captured: Vec<SocketAddr> = Vec::new();
        for (name, service) in all.services() {
            let known = &part.services()[name];
            let capture = captures_service(&all, service);
            prop_assert_eq!(
                capture_of(&capture, service.fail_closed),
                capture_of(&captures_service(&part, known), known.fail_closed)
            );
            if capture != Capture::No {
                captured.extend(service.vips.iter().map(|vip| SocketAddr::new(*vip, 80)));
            }
        }
        for (name, workload) in all.workloads() {
            let capture = captures_workload(&all, workload);
            let known = part.workloads().get(name);
            let capture_here = known.map_or(Capture::No, |one| captures_workload(&part, one));
            prop_assert_eq!(&capture, &capture_here, "{}", name);
            if capture != Capture::No {
                captured.extend(workload.addresses.iter().map(|one| SocketAddr::new(*one, 80)));
            }
        }
        for (name, pod) in all.workloads().iter().filter(|(_, pod)| pod.node == "a") {
            prop_assert_eq!(part.workloads().get(name), Some(pod));
            for to in &captured {
                prop_assert_eq!(outbound_of(&all, *to, pod), outbound_of(&part, *to, pod));
            }
            let vips = all.services().values().flat_map(|service| &service.vips);
            for to in vips.chain(&pod.addresses).map(|address| SocketAddr::new(*address, 80)) {
                prop_assert_eq!(inbound_of(&all, pod, to), inbound_of(&part, pod, to));
            }
        }
    }

    #[test]
    fn a_waypoint_decides_as_if_it_read_everything(cluster in cluster()) {
        let name = ObjectName::new("x", "w0");
        let (all, part) = (whole(&cluster), scoped(&cluster, &Scope::Waypoint(name.clone())));
        prop_assert_eq!(all.workloads(), part.workloads());
        prop_assert_eq!(all.waypoints(), part.waypoints());
        for (key, service) in all.services() {
            let known = &part.services()[key];
            prop_assert_eq!(&service.binding, &known.binding);
            if service.binding.waypoint() == Some(&name) {
                prop_assert_eq!(service, known);
            }
        }
    }
}
