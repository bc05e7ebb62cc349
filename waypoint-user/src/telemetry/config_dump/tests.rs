use std::{net::IpAddr, sync::Arc};

use super::*;
use crate::mesh::{
    object::ObjectName,
    snapshot::Contents,
    workload::{AdmissionMode, Enrolment},
};

fn name(name: &str) -> ObjectName {
    ObjectName::new("shop", name)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A mesh in which everything is said.
fn contents() -> Contents {
    let mut contents = Contents::default();
    contents.settings.capture = CaptureMode::Mesh;
    let (region, zone) = ("eu".to_owned(), "eu-1".to_owned());
    let node =
        Node { name: ObjectName::cluster("n1"), addresses: vec![ip("192.0.2.1")], region, zone };
    contents.nodes.insert(node.name.clone(), Arc::new(node));
    let workload = Workload {
        uid: "uid-1".into(),
        node: "n1".to_owned(),
        addresses: vec![ip("10.0.0.1")],
        enrolment: Enrolment::Enrolled,
        transport: Transport::Hbone,
        mutual_tls: MutualTls { strict: true, exceptions: vec![8080] },
        admission: Admission {
            mode: AdmissionMode::Strict,
            sources: vec![ip("10.0.0.9")],
            exempt_ports: vec![9090],
            mutual_tls: false,
        },
        ..Workload::new(name("web"))
    };
    let instance = Workload { instance_of: Some(name("w")), ..Workload::new(name("w-1")) };
    for workload in [workload, instance] {
        contents.workloads.insert(workload.name.clone(), Arc::new(workload));
    }
    let waypoint = Waypoint {
        placement: Placement::Pods(vec![ip("10.0.0.9")]),
        inbound_binding: Some(InboundBinding { proxy: true, port: Some(15088) }),
        ..Waypoint::new(name("w"))
    };
    contents.waypoints.insert(waypoint.name.clone(), Arc::new(waypoint));
    let service = Service {
        binding: Binding::Bound(name("w")),
        canary: Some(Canary { waypoint: name("w2"), weight: 10 }),
        ..Service::new(name("s"))
    };
    contents.services.insert(service.name.clone(), Arc::new(service));
    contents
}

fn dump(contents: Contents) -> Value {
    serde_json::from_str(&show(&Snapshot::new(contents), &Report::default())).unwrap()
}

#[test]
fn what_the_mesh_decided_of_a_workload_is_shown() {
    let dump = dump(contents());
    let web = &dump["workloads"][1];
    assert_eq!(web["name"], "shop/web");
    assert_eq!((&web["uid"], &web["node"]), (&json!("uid-1"), &json!("n1")));
    assert_eq!(web["identity"], "spiffe://cluster.local/ns/shop/sa/default");
    assert_eq!(web["transport"], "hbone");
    assert_eq!(web["mutualTls"], json!({"mode": "STRICT", "ports": {"8080": "PERMISSIVE"}}));
    let admission = json!({
        "mode": "strict", "sources": ["10.0.0.9"], "exemptPorts": [9090], "refusesPlaintext": false,
    });
    assert_eq!(web["admission"], admission);
    let instance = &dump["workloads"][0];
    assert_eq!(instance["instanceOf"], "shop/w");
    assert_eq!(instance["mutualTls"], json!({"mode": "PERMISSIVE", "ports": {}}));
    assert_eq!(instance["transport"], "plain");
}

#[test]
fn where_waypoints_are_and_how_they_take_connections_is_shown() {
    let mut contents = contents();
    let before = dump(contents.clone());
    let shown = &before["waypoints"][0];
    assert_eq!(shown["placement"], json!({"pods": ["10.0.0.9"]}));
    assert_eq!(shown["instances"], json!(["shop/w-1"]));
    assert_eq!(shown["inboundBinding"], "PROXY/15088");
    let waypoint = Arc::make_mut(contents.waypoints.values_mut().next().unwrap());
    waypoint.placement = Placement::Node;
    waypoint.inbound_binding = Some(InboundBinding { proxy: false, port: None });
    let after = dump(contents);
    assert_eq!(after["waypoints"][0]["placement"], "node");
    assert_eq!(after["waypoints"][0]["inboundBinding"], "NONE");
}

#[test]
fn settings_nodes_and_canaries_are_shown() {
    let dump = dump(contents());
    assert_eq!(dump["settings"]["capture"], "mesh");
    assert_eq!(dump["settings"]["trustDomain"], "cluster.local");
    let node = json!({"name": "n1", "addresses": ["192.0.2.1"], "region": "eu", "zone": "eu-1"});
    assert_eq!(dump["nodes"], json!([node]));
    assert_eq!(dump["services"][0]["canary"], json!({"waypoint": "shop/w2", "weight": 10}));
    assert_eq!(dump["services"][0]["waypoint"], json!({"bound": "shop/w"}));
}
