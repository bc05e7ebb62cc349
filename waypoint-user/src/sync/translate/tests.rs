use std::collections::BTreeSet;

use super::{meta, ports::protocol, *};
use crate::{
    mesh::{binding::FailMode, report::Severity, service::AppProtocol, workload::Enrolment},
    sync::objects_in,
};

mod conditions;
mod route_gateways;
mod traffic;
mod weights;

/// Translates documents with the default settings.
fn mesh(documents: &[&str]) -> (Snapshot, Report) {
    with(documents, &Settings::default())
}

fn with(documents: &[&str], settings: &Settings) -> (Snapshot, Report) {
    let (objects, report) = objects_in(&[("a.yaml", documents.join("\n---\n").as_bytes())]);
    translate(&objects, settings, Served::Here, report)
}

/// A document of these parts; `metadata` follows name and namespace.
fn object(kind: &str, name: &str, metadata: &str, rest: &str) -> String {
    let version = match kind {
        "Gateway" | "HTTPRoute" | "TCPRoute" => "gateway.networking.k8s.io/v1",
        "AuthorizationPolicy" => "security.istio.io/v1",
        "TrafficPolicy" => "waypoint.dev/v1alpha1",
        _ => "v1",
    };
    let (namespace, name) = name.split_once('/').unwrap_or(("", name));
    let namespace = if namespace.is_empty() { "default" } else { namespace };
    format!(
        "apiVersion: {version}\nkind: {kind}\n\
         metadata: {{name: {name}, namespace: {namespace}{metadata}}}\n{rest}"
    )
}

fn namespace(name: &str, labels: &str, annotations: &str) -> String {
    object(
        "Namespace",
        name,
        &format!(", labels: {{{labels}}}, annotations: {{{annotations}}}"),
        "",
    )
}

fn gateway(name: &str, metadata: &str) -> String {
    let spec = "spec: {gatewayClassName: istio-waypoint, \
                listeners: [{name: mesh, port: 15008, protocol: HBONE, \
                allowedRoutes: {namespaces: {from: All}}}]}";
    object("Gateway", name, metadata, spec)
}

fn service(name: &str, ip: &str, metadata: &str) -> String {
    object(
        "Service",
        name,
        metadata,
        &format!("spec: {{clusterIPs: [\"{ip}\"], ports: [{{port: 80}}]}}"),
    )
}

fn pod(name: &str, ip: &str, metadata: &str) -> String {
    object("Pod", name, metadata, &format!("status: {{podIPs: [{{ip: \"{ip}\"}}]}}"))
}

fn reasons(report: &Report, name: &str) -> Vec<String> {
    let about = report.iter().filter(|(object, _)| object.name.name == name);
    about
        .filter(|(_, finding)| finding.severity > Severity::Accepted)
        .map(|(_, finding)| finding.reason.clone())
        .collect()
}

const USE: &str = ", labels: {istio.io/use-waypoint: w}";

#[test]
fn protocols_are_told_by_app_protocol_then_name_then_port() {
    use AppProtocol::{Detect, Http, Http2, Tcp};
    for (app_protocol, name, number, expected) in [
        (None, "", 80, Detect),
        (None, "http", 80, Http),
        (None, "HTTP-web", 80, Http),
        (None, "http2-web", 80, Http2),
        (None, "grpc", 80, Http2),
        (None, "grpc-web", 80, Http2),
        (None, "https", 443, Tcp),
        (None, "tls-x", 443, Tcp),
        (None, "httpish", 80, Detect),
        (None, "web", 3306, Tcp),
        (None, "http", 3306, Http),
        (Some("kubernetes.io/h2c"), "http", 80, Http2),
        (Some("kubernetes.io/ws"), "tcp", 80, Http),
        (Some("kubernetes.io/wss"), "http", 80, Tcp),
        (Some("http"), "tcp", 80, Http),
        (Some("example.com/own"), "http", 80, Detect),
    ] {
        let got = protocol(app_protocol, name, number);
        assert_eq!(got, expected, "{app_protocol:?} {name:?} {number}");
    }
}

#[test]
fn ports_are_1_to_65535() {
    assert_eq!(meta::port(1), Ok(1));
    assert_eq!(meta::port(65535), Ok(65535));
    for wrong in [0, -1, 65536, i64::MAX] {
        assert!(meta::port(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn truth_is_spelt_as_in_istio() {
    assert!(["true", "True", "1", "t"].iter().all(|word| meta::is_true(word)));
    assert!(!["false", "yes", "", "TrUe"].iter().any(|word| meta::is_true(word)));
}

#[test]
fn namespaces_and_gateways_name_the_fail_mode_of_what_has_none() {
    let closed = ", annotations: {waypoint.dev/fail-mode: closed}";
    let open = "waypoint.dev/fail-mode: open";
    let (snapshot, _) = mesh(&[
        &gateway("a/w", closed),
        &service("a/by-gateway", "10.0.0.1", USE),
        &namespace("b", "istio.io/use-waypoint: w, istio.io/use-waypoint-namespace: a", open),
        &service("b/by-namespace", "10.0.0.2", ""),
        &service("b/by-itself", "10.0.0.3", closed),
    ]);
    let seen: Vec<_> = snapshot
        .services()
        .values()
        .map(|service| (service.name.name.as_str(), service.fail_mode, service.fail_closed))
        .collect();
    assert_eq!(
        seen,
        [
            ("by-gateway", FailMode::Closed, true),
            ("by-itself", FailMode::Closed, true),
            ("by-namespace", FailMode::Open, false),
        ]
    );
}

#[test]
fn a_policy_of_the_gateway_closes_everything_behind_it() {
    let policy = object(
        "AuthorizationPolicy",
        "a/p",
        "",
        "spec: {targetRefs: [{kind: Gateway, group: gateway.networking.k8s.io, name: w}]}",
    );
    let all = ", labels: {istio.io/waypoint-for: all}";
    let (snapshot, _) = mesh(&[
        &gateway("a/w", all),
        &service("a/s", "10.0.0.1", USE),
        &service("a/other", "10.0.0.2", ""),
        &pod("a/p", "10.1.0.1", USE),
        &policy,
    ]);
    let services: Vec<_> = snapshot.services().values().map(|one| one.fail_closed).collect();
    assert_eq!(services, [false, true]);
    assert!(snapshot.workloads().values().all(|pod| pod.fail_closed));
}

#[test]
fn a_route_of_another_namespace_is_for_its_own_clients_unless_the_waypoint_is_there() {
    let uses = ", labels: {istio.io/use-waypoint: w, istio.io/use-waypoint-namespace: a}";
    let route = |name: &str| {
        let spec = "spec: {parentRefs: [{group: '', kind: Service, name: s, namespace: b}]}";
        object("HTTPRoute", name, "", spec)
    };
    let (snapshot, report) = mesh(&[
        &gateway("a/w", ""),
        &service("b/s", "10.0.0.1", uses),
        &route("a/consumer"),
        &route("b/producer"),
        &route("c/stranger"),
    ]);
    let routes: Vec<_> = snapshot.routes().keys().map(|name| name.name.as_str()).collect();
    assert_eq!(routes, ["consumer", "producer", "stranger"]);
    let clients = |name: &str| {
        let (_, route) = snapshot.routes().iter().find(|(known, _)| known.name == name).unwrap();
        route.parents[0].clients.as_deref()
    };
    assert_eq!(["consumer", "producer", "stranger"].map(clients), [None, None, Some("c")]);
    assert_eq!(reasons(&report, "stranger"), [""; 0]);
}

#[test]
fn a_namespace_is_selected_by_its_name_even_if_no_manifest_makes_it() {
    let gateway = object(
        "Gateway",
        "a/w",
        "",
        "spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, \
         protocol: HBONE, allowedRoutes: {namespaces: {from: Selector, \
         selector: {matchLabels: {kubernetes.io/metadata.name: b}}}}}]}",
    );
    let uses = ", labels: {istio.io/use-waypoint: w, istio.io/use-waypoint-namespace: a}";
    let (_, report) =
        mesh(&[&gateway, &service("b/in", "10.0.0.1", uses), &service("c/out", "10.0.0.2", uses)]);
    assert_eq!(reasons(&report, "in"), Vec::<String>::new());
    assert_eq!(reasons(&report, "out"), ["AttachmentDenied"]);
}

#[test]
fn namespaces_that_are_left_out_enrol_nothing() {
    let settings = Settings { excluded_namespaces: vec!["a".to_owned()], ..Settings::default() };
    let ambient = ", labels: {istio.io/dataplane-mode: ambient}";
    let (snapshot, _) = with(&[&pod("a/p", "10.1.0.1", ambient)], &settings);
    let workload = snapshot.workloads().values().next().unwrap();
    assert_eq!(workload.enrolment, Enrolment::ExcludedNamespace);
}

#[test]
fn an_enrolled_pod_without_a_namespace_to_capture_in_is_told() {
    let ambient = ", labels: {istio.io/dataplane-mode: ambient}";
    let (_, report) = mesh(&[&pod("a/p", "10.1.0.1", ambient)]);
    assert_eq!(reasons(&report, "p"), ["NetnsUnknown"]);
    let stored = format!("{ambient}, uid: 9d5cbe8f-1f0c-4a53-9c3f-0c9a3a6d7e21");
    let (_, report) = mesh(&[&pod("a/p", "10.1.0.1", &stored)]);
    assert!(reasons(&report, "p").is_empty(), "an agent finds it by its uid");
}

#[test]
fn a_replica_sets_pod_is_owned_by_its_deployment() {
    let owned = |kind: &str, name: &str, labels: &str| {
        let owner = format!("{{apiVersion: apps/v1, kind: {kind}, name: {name}, uid: u}}");
        pod("a/p", "10.1.0.1", &format!(", labels: {{{labels}}}, ownerReferences: [{owner}]"))
    };
    for (document, expected) in [
        (owned("ReplicaSet", "web-7f9c", "pod-template-hash: 7f9c"), "web"),
        (owned("ReplicaSet", "web-7f9c", ""), "web"),
        (owned("ReplicaSet", "web", "pod-template-hash: 7f9c"), "web"),
        (owned("StatefulSet", "db-0", ""), "db-0"),
        (pod("a/p", "10.1.0.1", ""), "p"),
    ] {
        let (snapshot, _) = mesh(&[&document]);
        assert_eq!(snapshot.workloads().values().next().unwrap().owner, expected, "{document}");
    }
}

#[test]
fn translation_says_the_same_twice() {
    let documents = [
        gateway("a/w", ""),
        service("a/s", "10.0.0.1", USE),
        service("a/t", "fd00::1", USE),
        pod("a/p", "10.1.0.1", ""),
    ];
    let documents: Vec<&str> = documents.iter().map(String::as_str).collect();
    let reversed: Vec<&str> = documents.iter().rev().copied().collect();
    assert_eq!(mesh(&documents), mesh(&documents));
    assert_eq!(mesh(&documents), mesh(&reversed), "and the order of documents is nothing");
}

#[test]
fn every_finding_has_a_word_and_a_sentence() {
    let (_, report) = mesh(&[
        &gateway("a/w", ", labels: {istio.io/waypoint-for: x}"),
        &service("a/s", "10.0.0.1", USE),
        &pod("a/p", "10.1.0.1", ", labels: {istio.io/use-waypoint: gone}"),
    ]);
    let words: BTreeSet<_> = report.iter().map(|(_, finding)| finding.reason.as_str()).collect();
    assert!(words.len() > 2, "{words:?}");
    for word in words {
        assert!(word.chars().all(char::is_alphanumeric), "{word}");
    }
    assert!(report.iter().all(|(_, finding)| finding.message.contains(' ')));
}
