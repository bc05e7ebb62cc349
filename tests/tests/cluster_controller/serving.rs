//! What a Gateway runs in, and what its status says of it.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use waypoint_tests::{
    kube::ControlPlane,
    lab::wait::{SOON, until_true},
};

use crate::fixture::{Controller, Story};

#[test]
fn a_gateway_gets_an_account_a_deployment_a_service_and_the_right_to_read() -> Result<()> {
    let story = Story::begin(ControlPlane::shared()?)?;
    let mut controller = Controller::start(&story, "one")?;
    story.gateway("waypoint", "labels: { team: basket }", "")?;
    controller.leads()?;
    let service = story.until("service", "waypoint", |_| true)?;
    let ports = service.pointer("/spec/ports").context("no ports")?.as_array().context("ports")?;
    let ports: Vec<_> = ports.iter().map(|port| (&port["port"], &port["appProtocol"])).collect();
    ensure!(ports == [(&json!(15021), &json!("tcp")), (&json!(15008), &json!("all"))], "{ports:?}");
    let gateway = story.get("gateway", "waypoint")?.context("no gateway")?;
    let account = story.until("serviceaccount", "waypoint", |_| true)?;
    let deployment = story.until("deployment", "waypoint", |_| true)?;
    for object in [&service, &account, &deployment] {
        let owner = &object["metadata"]["ownerReferences"][0];
        ensure!(owner["uid"] == gateway["metadata"]["uid"], "{object}");
        ensure!(object["metadata"]["labels"]["team"] == "basket", "{object}");
    }
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    ensure!(container["image"] == "example.org/waypoint:1", "{container}");
    let replicas = format!("{}", deployment["metadata"]["managedFields"]);
    ensure!(!replicas.contains("f:replicas"), "the replicas are ours: {replicas}");
    let binding = format!("waypoint-proxy:{}:waypoint", story.namespace);
    story.until("clusterrolebinding", &binding, |one| {
        one["subjects"][0]["name"] == "waypoint" && one["roleRef"]["name"] == "waypoint-proxy"
    })?;
    story.kubectl(&["delete", "gateway", "waypoint"])?;
    until_true("an end of the right", SOON * 2, || {
        Ok(story.get("clusterrolebinding", &binding)?.is_none())
    })
}

#[test]
fn a_gateway_is_programmed_when_a_pod_is_ready_and_keeps_its_addresses() -> Result<()> {
    let story = Story::begin(ControlPlane::shared()?)?;
    let mut controller = Controller::start(&story, "one")?;
    controller.leads()?;
    story.gateway("waypoint", "", "")?;
    let (reason, _) = story.condition("waypoint", "Accepted", "True")?;
    ensure!(reason == "Accepted", "{reason}");
    let (reason, message) = story.condition("waypoint", "Programmed", "False")?;
    ensure!(reason == "AddressNotAssigned", "{reason}: {message}");
    story.endpoint("waypoint", true)?;
    let host = format!("waypoint.{}.svc.cluster.local", story.namespace);
    let (_, message) = story.condition("waypoint", "Programmed", "True")?;
    ensure!(
        message == format!("Resource programmed, assigned to service(s) {host}:15008"),
        "{message}"
    );
    let gateway = story.get("gateway", "waypoint")?.context("no gateway")?;
    let service = story.get("service", "waypoint")?.context("no service")?;
    let addresses = gateway["status"]["addresses"].clone();
    ensure!(addresses[0] == json!({ "type": "Hostname", "value": host }), "{addresses}");
    ensure!(addresses[1]["value"] == service["spec"]["clusterIP"], "{addresses}");
    let listener = &gateway["status"]["listeners"][0];
    ensure!(listener["attachedRoutes"] == 0 && listener["name"] == "mesh", "{listener}");
    story.endpoint("waypoint", false)?;
    let (_, message) = story.condition("waypoint", "Programmed", "False")?;
    ensure!(message.contains("no instances found"), "{message}");
    let gateway = story.get("gateway", "waypoint")?.context("no gateway")?;
    ensure!(gateway["status"]["addresses"] == addresses, "{gateway}");
    Ok(())
}

/// Whether a route's only parent is the waypoint, which accepts it or not for this reason.
fn parent_says(route: &Value, (status, reason): (&str, &str)) -> bool {
    let parent = &route["status"]["parents"][0];
    let mut all = parent["conditions"].as_array().into_iter().flatten();
    parent["parentRef"]["name"] == "waypoint"
        && all.any(|one| {
            one["type"] == "Accepted" && one["status"] == *status && one["reason"] == *reason
        })
}

#[test]
fn routes_of_a_waypoint_are_counted_by_its_listener_and_told() -> Result<()> {
    let story = Story::begin(ControlPlane::shared()?)?;
    let mut controller = Controller::start(&story, "one")?;
    controller.leads()?;
    story.gateway("waypoint", "", "")?;
    story.endpoint("waypoint", true)?;
    let attached = |count: u32| {
        story.until("gateway", "waypoint", |object| {
            let listener = &object["status"]["listeners"][0];
            listener["attachedRoutes"] == count
                && listener["supportedKinds"][1]["kind"] == "GRPCRoute"
        })
    };
    attached(0)?;
    for (kind, name, section) in [
        ("HTTPRoute", "all", "mesh"),
        ("GRPCRoute", "grpc", "mesh"),
        ("HTTPRoute", "elsewhere", "other"),
    ] {
        story.apply(&format!(
            "
apiVersion: gateway.networking.k8s.io/v1
kind: {kind}
metadata:
  name: {name}
spec:
  parentRefs: [{{ name: waypoint, sectionName: {section} }}]
"
        ))?;
    }
    attached(2)?;
    let told = |name: &str, status: &str, reason: &str| {
        let says = |route: &Value| parent_says(route, (status, reason));
        story.until("httproute", name, says)
    };
    told("all", "True", "Accepted")?;
    told("elsewhere", "False", "NoMatchingParent")?;
    story.kubectl(&["delete", "httproute", "all"])?;
    attached(1)?;
    Ok(())
}

#[test]
fn the_class_of_waypoints_is_made_and_accepted_and_never_overwritten() -> Result<()> {
    let plane = ControlPlane::start()?;
    let story = Story::begin(&plane)?;
    let mut controller = Controller::start(&story, "one")?;
    controller.leads()?;
    let accepted = |class: &Value| {
        let all = class.pointer("/status/conditions").and_then(|all| all.as_array());
        all.is_some_and(|all| {
            all.iter().any(|one| {
                one["type"] == "Accepted"
                    && one["status"] == "True"
                    && one["message"] == "Handled by Istio controller"
            })
        })
    };
    let class = story.until("gatewayclass", "istio-waypoint", accepted)?;
    ensure!(class["spec"]["controllerName"] == "istio.io/mesh-controller", "{class}");
    let mine = json!({ "spec": { "description": "mine" } }).to_string();
    story.kubectl(&["patch", "gatewayclass", "istio-waypoint", "--type=merge", "-p", &mine])?;
    let class = story.until("gatewayclass", "istio-waypoint", |class| {
        accepted(class)
            && class["status"]["conditions"][0]["observedGeneration"]
                == class["metadata"]["generation"]
    })?;
    ensure!(class["spec"]["description"] == "mine", "{class}");
    story.kubectl(&["delete", "gatewayclass", "istio-waypoint"])?;
    story.until("gatewayclass", "istio-waypoint", accepted)?;
    Ok(())
}

#[test]
fn what_had_another_name_goes_when_the_gateway_is_renamed() -> Result<()> {
    let story = Story::begin(ControlPlane::shared()?)?;
    let mut controller = Controller::start(&story, "one")?;
    controller.leads()?;
    story.gateway("waypoint", "", "")?;
    story.until("deployment", "waypoint", |_| true)?;
    story.gateway("waypoint", "annotations: { gateway.istio.io/name-override: other }", "")?;
    story.until("deployment", "other", |_| true)?;
    until_true("an end of the former name", SOON * 2, || {
        let there = story.get("deployment", "waypoint")?.is_some();
        Ok(!there && story.get("service", "waypoint")?.is_none())
    })
}

#[test]
fn a_gateway_of_another_revision_is_left_to_its_controller() -> Result<()> {
    let story = Story::begin(ControlPlane::shared()?)?;
    let mut controller = Controller::start(&story, "one")?;
    controller.leads()?;
    story.gateway("foreign", "labels: { istio.io/rev: somebody-elses }", "")?;
    story.gateway("own", "", "")?;
    story.condition("own", "Accepted", "True")?;
    controller.settled()?;
    ensure!(story.get("deployment", "foreign")?.is_none(), "it was deployed");
    let foreign = story.get("gateway", "foreign")?.context("no gateway")?;
    let status = &foreign["status"]["conditions"][0];
    ensure!(status["reason"] == "Pending" && status["status"] == "Unknown", "{foreign}");
    Ok(())
}
