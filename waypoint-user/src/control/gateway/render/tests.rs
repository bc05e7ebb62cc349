//! Every case under `tests/data/gateway` is a Gateway and perhaps ConfigMaps, the class's before
//! its own, and the objects expected for it.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::json;

use crate::{mesh::snapshot, telemetry::traces};

use super::*;

fn settings() -> Settings {
    Settings {
        namespace: "waypoint-system".to_owned(),
        agent_account: "waypoint-agent".to_owned(),
        identity: "test".to_owned(),
        waypoint_image: "waypoint.dev/waypoint:1.2.3".to_owned(),
        ca_address: "waypoint-controller.waypoint-system.svc:15012".to_owned(),
        revision: "default".to_owned(),
        tracing: None,
        mesh: snapshot::Settings::default(),
    }
}

fn gateway(text: &str) -> (Gateway, Vec<Overlays>) {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
    let overlays = documents[1..].iter().map(|map| {
        let values: BTreeMap<String, String> = serde_json::from_value(map["data"].clone()).unwrap();
        let name = format!("ConfigMap {}", map["metadata"]["name"].as_str().unwrap());
        Overlays::read(name, &values).unwrap()
    });
    (serde_json::from_value(documents[0].clone()).unwrap(), overlays.collect())
}

fn rendered(text: &str) -> Result<Vec<Rendered>, String> {
    let (gateway, overlays) = gateway(text);
    let settings = settings();
    render(&gateway, &Inputs { settings: &settings, revision: "default", overlays: &overlays })
}

/// A Gateway with this value of a key of its parameters.
fn customised_by(key: &str, patch: &Value) -> Result<Vec<Rendered>, String> {
    let plain = fs::read_to_string(data().join("plain/gateway.yaml")).unwrap();
    let map = json!({ "metadata": { "name": "mine" }, "data": { key: patch.to_string() } });
    rendered(&format!("{plain}\n---\n{map}"))
}

fn data() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/gateway")
}

#[test]
fn every_gateway_runs_in_what_its_case_expects() {
    let (mut cases, mut differing) = (0, Vec::new());
    for case in fs::read_dir(data()).unwrap() {
        let case = case.unwrap().path();
        let all = rendered(&fs::read_to_string(case.join("gateway.yaml")).unwrap()).unwrap();
        let all: Vec<_> = all
            .iter()
            .map(|one| json!({ "object": one.target.to_string(), "content": one.content }))
            .collect();
        let got = serde_json::to_string_pretty(&all).unwrap() + "\n";
        let expected = fs::read_to_string(case.join("expect.json")).unwrap_or_default();
        if got != expected {
            let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tmp/golden/gateway");
            let kept = kept.join(case.file_name().unwrap());
            fs::create_dir_all(&kept).unwrap();
            fs::write(kept.join("expect.json"), &got).unwrap();
            differing.push(format!("cp {}/expect.json {}/", kept.display(), case.display()));
        }
        cases += 1;
    }
    assert!(differing.is_empty(), "these differ; to accept:\n{}", differing.join("\n"));
    assert!(cases >= 4, "only {cases} cases found");
}

#[test]
fn what_a_thing_is_called_and_whose_it_is_cannot_be_customised() {
    let illegal = "ConfigMap mine: deployment: illegal metadata change";
    for patch in [
        json!({ "kind": "DaemonSet" }),
        json!({ "apiVersion": "apps/v2" }),
        json!({ "metadata": { "name": "other" } }),
        json!({ "metadata": { "namespace": "other" } }),
        json!({ "metadata": { "ownerReferences": [] , "$patch": "replace" } }),
        json!({ "metadata": { "ownerReferences": [{ "uid": "1" }] } }),
        json!({ "metadata": { "labels": { "gateway.istio.io/managed": null } } }),
        json!({ "metadata": null }),
    ] {
        assert_eq!(customised_by("deployment", &patch).unwrap_err(), illegal, "{patch}");
    }
    let same = json!({ "kind": "Deployment", "metadata": { "name": "waypoint" } });
    let plain = customised_by("deployment", &json!({})).unwrap();
    assert_eq!(customised_by("deployment", &same).unwrap(), plain);
}

#[test]
fn a_patch_that_is_not_understood_is_refused_with_its_place() {
    let refusal = customised_by("service", &json!({ "spec": { "ports": [{ "name": "x" }] } }));
    assert_eq!(refusal.unwrap_err(), "ConfigMap mine: service: spec.ports: an item without port");
}

#[test]
fn waypoints_are_told_where_spans_are_sent() {
    let text = fs::read_to_string(data().join("plain/gateway.yaml")).unwrap();
    let (gateway, overlays) = gateway(&text);
    let tracing = traces::Settings {
        endpoint: "http://collector.observability:4317".parse().unwrap(),
        protocol: traces::Protocol::Grpc,
        roots: Some("/etc/collector/root.pem".into()),
        rate: "12.5".parse().unwrap(),
        service: None,
    };
    let settings = Settings { tracing: Some(tracing), ..settings() };
    let inputs = Inputs { settings: &settings, revision: "default", overlays: &overlays };
    let all = render(&gateway, &inputs).unwrap();
    let deployment = all.into_iter().find(|one| one.target.kind.name == "Deployment").unwrap();
    let container = &deployment.content["spec"]["template"]["spec"]["containers"][0];
    let arguments = container["args"].as_array().unwrap();
    for told in [
        "--tracing-endpoint=http://collector.observability:4317/",
        "--tracing-protocol=grpc",
        "--tracing-sampling=12.50",
        "--tracing-ca=/etc/collector/root.pem",
    ] {
        assert!(arguments.contains(&told.into()), "no {told} in {arguments:?}");
    }
}

#[test]
fn replicas_are_nobodys_but_the_autoscalers_or_the_users() {
    let deployment = |all: Vec<Rendered>| {
        all.into_iter().find(|one| one.target.kind.name == "Deployment").unwrap().content
    };
    let plain = deployment(customised_by("service", &json!({})).unwrap());
    assert_eq!(plain["spec"].get("replicas"), None);
    let asked = customised_by("deployment", &json!({ "spec": { "replicas": 3 } })).unwrap();
    assert_eq!(deployment(asked)["spec"]["replicas"], json!(3));
}

#[test]
fn a_gateway_may_name_the_type_of_its_service() {
    let plain = fs::read_to_string(data().join("plain/gateway.yaml")).unwrap();
    let asking = |kind: &str| {
        let mut gateway: Value = serde_saphyr::from_str(&plain).unwrap();
        gateway["metadata"]["annotations"]["networking.istio.io/service-type"] = kind.into();
        let all = rendered(&gateway.to_string())?;
        let service = all.iter().find(|one| one.target.to_string().starts_with("Service "));
        Ok::<_, String>(service.unwrap().content["spec"]["type"].clone())
    };
    assert_eq!(asking("LoadBalancer"), Ok("LoadBalancer".into()));
    let refused = asking("ExternalName").unwrap_err();
    assert!(refused.contains("none of ClusterIP, NodePort, LoadBalancer"), "{refused}");
}
