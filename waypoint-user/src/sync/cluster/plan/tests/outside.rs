//! Entries of what is outside the cluster, and routes.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::cluster::{Side, asking, home, with};

#[derive(Clone, Debug)]
pub(super) struct EntryOf {
    home: Side,
    asks: Option<u8>,
    /// How its endpoints are found: listed, selected, by name, or where clients dial.
    found: u8,
    /// What it is dialled by: nothing, an address, a range of its own, one with pods in it.
    dialled: u8,
}

#[derive(Clone, Debug)]
pub(super) struct MachineOf {
    home: Side,
    asks: Option<u8>,
    /// Whether Services select it.
    is_any: bool,
}

#[derive(Clone, Debug)]
pub(super) struct RouteOf {
    home: Side,
    grpc: bool,
    /// The Service before which it stands, by number, and its namespace.
    parent: (u8, Side),
    /// Where it leads.
    backend: (u8, Side),
}

#[derive(Clone, Debug)]
pub(super) struct GrantOf {
    home: Side,
    grpc: bool,
}

fn asks() -> impl Strategy<Value = Option<u8>> {
    proptest::option::weighted(0.5, 0..3_u8)
}

pub(super) fn entry() -> impl Strategy<Value = EntryOf> {
    (any::<bool>(), asks(), 0..4_u8, 0..4_u8).prop_map(|(home, asks, found, dialled)| EntryOf {
        home,
        asks,
        found,
        dialled,
    })
}

pub(super) fn machine() -> impl Strategy<Value = MachineOf> {
    (any::<bool>(), asks(), any::<bool>()).prop_map(|(home, asks, is_any)| MachineOf {
        home,
        asks,
        is_any,
    })
}

pub(super) fn route() -> impl Strategy<Value = RouteOf> {
    let service = || (0..4_u8, any::<bool>());
    (any::<bool>(), any::<bool>(), service(), service())
        .prop_map(|(home, grpc, parent, backend)| RouteOf { home, grpc, parent, backend })
}

pub(super) fn grant() -> impl Strategy<Value = GrantOf> {
    (any::<bool>(), any::<bool>()).prop_map(|(home, grpc)| GrantOf { home, grpc })
}

impl EntryOf {
    pub(super) fn document(&self, number: usize) -> Value {
        let resolution = ["STATIC", "STATIC", "DNS", "NONE"][usize::from(self.found)];
        let addresses = match self.dialled {
            0 => json!([]),
            1 => json!([format!("10.3.0.{}", number + 1)]),
            2 => json!([format!("10.4.{number}.0/24")]),
            _ => json!(["10.0.0.0/24"]),
        };
        let mut spec = json!({
            "hosts": [format!("e{number}.example")], "addresses": addresses,
            "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
            "resolution": resolution, "location": "MESH_EXTERNAL",
        });
        match self.found {
            0 => spec = with(spec, "endpoints", json!([{"address": "10.5.0.1"}])),
            1 => spec = with(spec, "workloadSelector", json!({"labels": {"app": "any"}})),
            _ => {}
        }
        json!({
            "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
            "metadata": {
                "name": format!("e{number}"), "namespace": home(self.home),
                "labels": asking(self.asks),
            },
            "spec": spec,
        })
    }
}

impl MachineOf {
    pub(super) fn document(&self, number: usize) -> Value {
        let app = if self.is_any { "any" } else { "other" };
        json!({
            "apiVersion": "networking.istio.io/v1", "kind": "WorkloadEntry",
            "metadata": {
                "name": format!("m{number}"), "namespace": home(self.home),
                "labels": with(asking(self.asks), "app", app),
            },
            "spec": {"address": format!("10.6.0.{}", number + 1), "ports": {"": 80}},
        })
    }
}

impl RouteOf {
    pub(super) fn document(&self, number: usize) -> Value {
        let service = |(number, side): (u8, Side)| {
            json!({
                "group": "", "kind": "Service", "name": format!("s{number}"),
                "namespace": home(side), "port": 80,
            })
        };
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": kind(self.grpc),
            "metadata": {"name": format!("r{number}"), "namespace": home(self.home)},
            "spec": {
                "parentRefs": [service(self.parent)],
                "rules": [{"backendRefs": [service(self.backend)]}],
            },
        })
    }
}

impl GrantOf {
    pub(super) fn document(&self, number: usize) -> Value {
        let from = json!({
            "group": "gateway.networking.k8s.io", "kind": kind(self.grpc),
            "namespace": home(!self.home),
        });
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant",
            "metadata": {"name": format!("g{number}"), "namespace": home(self.home)},
            "spec": {"from": [from], "to": [{"group": "", "kind": "Service"}]},
        })
    }
}

fn kind(grpc: bool) -> &'static str {
    if grpc { "GRPCRoute" } else { "HTTPRoute" }
}
