//! Clusters of every shape, as the API server would hold them.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::outside::{EntryOf, GrantOf, MachineOf, RouteOf, entry, grant, machine, route};
use crate::mesh::label::{GATEWAY_NAME, SERVICE_NAME, USE_WAYPOINT};

/// A namespace or node: of each there are two.
pub(super) type Side = bool;

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
pub(super) struct Cluster {
    pods: Vec<PodOf>,
    services: Vec<ServiceOf>,
    gateways: Vec<GatewayOf>,
    entries: Vec<EntryOf>,
    machines: Vec<MachineOf>,
    routes: Vec<RouteOf>,
    grants: Vec<GrantOf>,
    /// What each namespace asks for, and its fail mode.
    homes: [(Option<u8>, u8); 2],
    pub(super) mesh: bool,
}

pub(super) fn cluster() -> impl Strategy<Value = Cluster> {
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
        proptest::collection::vec(entry(), 0..2),
        proptest::collection::vec(machine(), 0..2),
        proptest::collection::vec(route(), 0..3),
        proptest::collection::vec(grant(), 0..2),
        [home(), home()],
        rarely(),
    )
        .prop_map(
            |(pods, services, gateways, entries, machines, routes, grants, homes, mesh)| Cluster {
                pods,
                services,
                gateways,
                entries,
                machines,
                routes,
                grants,
                homes,
                mesh,
            },
        )
}

pub(super) fn home(side: Side) -> &'static str {
    if side { "x" } else { "y" }
}

/// Labels that ask for a waypoint: of the first namespace, or of a name that nobody has.
pub(super) fn asking(asks: Option<u8>) -> Value {
    match asks {
        None => json!({}),
        Some(number) => json!({
            USE_WAYPOINT: format!("w{number}"), "istio.io/use-waypoint-namespace": "x",
        }),
    }
}

pub(super) fn with(mut labels: Value, key: &str, value: impl Into<Value>) -> Value {
    labels[key] = value.into();
    labels
}

impl Cluster {
    /// What the API server would hold.
    pub(super) fn documents(&self) -> Vec<Value> {
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
        let inside = homes.chain(nodes).chain(pods).chain(services).chain(slices).chain(gateways);
        inside.chain(self.others()).collect()
    }

    /// What is outside the cluster, and what leads requests elsewhere.
    fn others(&self) -> Vec<Value> {
        let entries = self.entries.iter().enumerate().map(|(number, one)| one.document(number));
        let machines = self.machines.iter().enumerate().map(|(number, one)| one.document(number));
        let routes = self.routes.iter().enumerate().map(|(number, one)| one.document(number));
        let grants = self.grants.iter().enumerate().map(|(number, one)| one.document(number));
        entries.chain(machines).chain(routes).chain(grants).collect()
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

pub(super) fn address(pod: usize) -> String {
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
