//! What endpoints weigh.

use super::*;
use crate::mesh::external::service_name;

fn outside(kind: &str, name: &str, metadata: &str, spec: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: {kind}\n\
         metadata: {{name: {name}, namespace: default{metadata}}}\nspec: {{{spec}}}"
    )
}

/// A ServiceEntry `h.test` that is found by address or by name.
fn entry(resolution: &str, rest: &str) -> String {
    let ports = "ports: [{number: 80, name: web, protocol: HTTP}]";
    let spec = format!("hosts: [h.test], {ports}, resolution: {resolution}, {rest}");
    outside("ServiceEntry", "h", "", &spec)
}

fn machine(name: &str, address: &str, weight: &str) -> String {
    let labels = ", labels: {app: machine}";
    outside("WorkloadEntry", name, labels, &format!("address: {address}{weight}"))
}

/// Every endpoint of a Service with what it weighs, those behind names as well.
fn weights(snapshot: &Snapshot, service: &ObjectName) -> Vec<(String, u32)> {
    let service = &snapshot.services()[service];
    let listed = service.endpoints.iter().map(|one| (one.address.to_string(), one.weight));
    let named = service.resolution().names().iter().map(|one| (one.host.clone(), one.weight));
    let mut all: Vec<_> = listed.chain(named).collect();
    all.sort();
    all
}

fn expected<const N: usize>(of: [(&str, u32); N]) -> Vec<(String, u32)> {
    of.map(|(name, weight)| (name.to_owned(), weight)).into()
}

#[test]
fn entries_weigh_what_they_say() {
    let endpoints = "endpoints: [{address: 192.0.2.1}, {address: 192.0.2.2, weight: 3}, \
                     {address: 192.0.2.3, weight: 0}, {address: 192.0.2.4, weight: 4294967295}]";
    let (snapshot, report) = mesh(&[&entry("STATIC", endpoints)]);
    let host = service_name("default", "h.test");
    let wanted = [("192.0.2.1", 1), ("192.0.2.2", 3), ("192.0.2.3", 1), ("192.0.2.4", u32::MAX)];
    assert_eq!(weights(&snapshot, &host), expected(wanted));
    let told = format!("{report:?}");
    assert!(!told.contains("weight"), "{told}");
    let names = "endpoints: [{address: a.test, weight: 7}, {address: b.test}]";
    let (snapshot, _) = mesh(&[&entry("DNS", names)]);
    assert_eq!(weights(&snapshot, &host), expected([("a.test", 7), ("b.test", 1)]));
    let (snapshot, _) = mesh(&[&entry("DNS", "endpoints: []")]);
    assert_eq!(weights(&snapshot, &host), expected([("h.test", 1)]));
}

#[test]
fn workload_entries_weigh_the_same_wherever_they_are_selected() {
    let selecting = entry("STATIC", "workloadSelector: {labels: {app: machine}}");
    let service = object(
        "Service",
        "s",
        "",
        "spec: {clusterIPs: [10.0.0.1], selector: {app: machine}, ports: [{port: 80}]}",
    );
    let pod = object(
        "Pod",
        "p",
        ", labels: {app: machine}",
        "status: {podIPs: [{ip: 10.1.0.1}], conditions: [{type: Ready, status: \"True\"}]}",
    );
    let documents = [
        selecting,
        service,
        pod,
        machine("m1", "192.0.2.1", ", weight: 5"),
        machine("m2", "192.0.2.2", ""),
    ];
    let (snapshot, _) = mesh(&documents.each_ref().map(String::as_str));
    let wanted = [("10.1.0.1", 1), ("192.0.2.1", 5), ("192.0.2.2", 1)];
    assert_eq!(weights(&snapshot, &service_name("default", "h.test")), expected(wanted));
    assert_eq!(weights(&snapshot, &ObjectName::new("default", "s")), expected(wanted));
}

#[test]
fn what_is_no_weight_is_refused() {
    for wrong in [", weight: -1", ", weight: 4294967296"] {
        let (snapshot, report) = mesh(&[&machine("m", "192.0.2.1", wrong)]);
        assert!(snapshot.workloads().is_empty());
        let told = format!("{report:?}");
        assert!(told.contains("is not between 0 and 4294967295"), "{told}");
    }
}
