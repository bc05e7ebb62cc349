//! What the controller does not do, and how it says so.

use anyhow::{Context, Result, ensure};
use waypoint_tests::kube::ControlPlane;

use crate::fixture::{Controller, Story};

#[test]
fn a_gateway_with_another_listener_is_refused_and_nothing_is_deployed() -> Result<()> {
    let story = Story::begin(ControlPlane::shared()?)?;
    let mut controller = Controller::start(&story, "one")?;
    controller.leads()?;
    story.gateway("web", "", "listeners: [{ name: web, port: 80, protocol: HTTP }]")?;
    let (reason, message) = story.condition("web", "Accepted", "False")?;
    ensure!(reason == "ListenersNotValid", "{reason}");
    let expected = "Expected a single listener on port 15008 with protocol \"HBONE\"";
    ensure!(message == expected, "{message}");
    controller.settled()?;
    for kind in ["deployment", "service", "serviceaccount"] {
        ensure!(story.get(kind, "web")?.is_none(), "there is a {kind}");
    }
    let event = story.event("ListenersNotValid")?;
    ensure!(event["type"] == "Warning" && event["regarding"]["name"] == "web", "{event}");
    // Corrected, it is served.
    story.gateway("web", "", "listeners: [{ name: mesh, port: 15008, protocol: HBONE }]")?;
    story.condition("web", "Accepted", "True")?;
    story.until("deployment", "web", |_| true)?;
    Ok(())
}

#[test]
fn a_gateway_for_namespaces_that_nobody_names_is_refused() -> Result<()> {
    let story = Story::begin(ControlPlane::shared()?)?;
    let mut controller = Controller::start(&story, "one")?;
    controller.leads()?;
    let listener = "name: mesh, port: 15008, protocol: HBONE";
    let from = "allowedRoutes: { namespaces: { from: Selector } }";
    story.gateway("guests", "", &format!("listeners: [{{ {listener}, {from} }}]"))?;
    let (reason, message) = story.condition("guests", "Accepted", "False")?;
    ensure!(reason == "ListenersNotValid", "{reason}");
    ensure!(message.contains("from is Selector, without a selector"), "{message}");
    let gateway = story.get("gateway", "guests")?.context("no gateway")?;
    let listener = &gateway["status"]["listeners"][0]["conditions"][0];
    ensure!(listener["status"] == "False" && listener["reason"] == "Invalid", "{listener}");
    ensure!(story.get("deployment", "guests")?.is_none());
    Ok(())
}

#[test]
fn a_gateway_that_is_misspelt_keeps_serving_as_it_did_and_is_told() -> Result<()> {
    let story = Story::begin(ControlPlane::shared()?)?;
    let mut controller = Controller::start(&story, "one")?;
    controller.leads()?;
    let listener = "name: mesh, port: 15008, protocol: HBONE";
    story.gateway("guests", "", &format!("listeners: [{{ {listener} }}]"))?;
    story.condition("guests", "Accepted", "True")?;
    let before = story.until("deployment", "guests", |_| true)?;
    let from = "allowedRoutes: { namespaces: { from: Selector } }";
    story.gateway("guests", "", &format!("listeners: [{{ {listener}, {from} }}]"))?;
    let (reason, message) = story.condition("guests", "Accepted", "False")?;
    ensure!(reason == "ListenersNotValid", "{reason}");
    ensure!(message.ends_with("its last good version stays in force"), "{message}");
    // What it says of itself makes it say nothing else.
    controller.settled()?;
    let gateway = story.get("gateway", "guests")?.context("no gateway")?;
    let accepted = gateway["status"]["conditions"].as_array().context("no conditions")?;
    let generation = &gateway["metadata"]["generation"];
    ensure!(accepted.iter().all(|one| one["observedGeneration"] == *generation), "{gateway}");
    let after = story.get("deployment", "guests")?.context("the deployment is gone")?;
    ensure!(before["metadata"]["uid"] == after["metadata"]["uid"], "it was made again");
    // Corrected, it is accepted.
    story.gateway("guests", "", &format!("listeners: [{{ {listener} }}]"))?;
    story.condition("guests", "Accepted", "True")?;
    Ok(())
}

#[test]
fn an_object_that_is_somebody_elses_is_left_alone() -> Result<()> {
    let story = Story::begin(ControlPlane::shared()?)?;
    story.apply(
        "
apiVersion: v1
kind: Service
metadata:
  name: waypoint
spec:
  ports: [{ name: mine, port: 80 }]
",
    )?;
    let before = story.get("service", "waypoint")?.context("no service")?;
    let mut controller = Controller::start(&story, "one")?;
    controller.leads()?;
    story.gateway("waypoint", "", "")?;
    let event = story.event("ForeignObject")?;
    let note = event["note"].as_str().unwrap_or_default();
    ensure!(note.contains("somebody else's") && note.contains("Service"), "{event}");
    let (reason, message) = story.condition("waypoint", "Programmed", "False")?;
    ensure!(reason == "Invalid" && message.contains("somebody else's"), "{reason}: {message}");
    // What can be made is made.
    story.until("deployment", "waypoint", |_| true)?;
    controller.settled()?;
    let after = story.get("service", "waypoint")?.context("no service")?;
    ensure!(before["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]);
    // When it is gone, ours takes its place.
    story.kubectl(&["delete", "service", "waypoint"])?;
    story.until("service", "waypoint", |service| {
        service["metadata"]["labels"]["gateway.istio.io/managed"] == "istio.io-mesh-controller"
    })?;
    Ok(())
}

#[test]
fn a_field_that_somebody_else_took_is_reported_and_not_fought_over() -> Result<()> {
    let story = Story::begin(ControlPlane::shared()?)?;
    let mut controller = Controller::start(&story, "one")?;
    controller.leads()?;
    story.gateway("waypoint", "", "")?;
    story.until("deployment", "waypoint", |_| true)?;
    let written = controller.settled()?;
    let image =
        r#"[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"mine"}]"#;
    let patch = ["patch", "deployment", "waypoint", "--type=json", "-p", image];
    story.kubectl(&[&patch[..], &["--field-manager=somebody"]].concat())?;
    let event = story.event("FieldConflict")?;
    let note = event["note"].as_str().unwrap_or_default();
    ensure!(note.contains("field manager somebody") && note.contains("image"), "{note}");
    ensure!(controller.settled()? <= written, "it was written");
    ensure!(controller.outcomes("conflict")? < 6.0, "it is fought over");
    let deployment = story.get("deployment", "waypoint")?.context("no deployment")?;
    let image = deployment.pointer("/spec/template/spec/containers/0/image");
    ensure!(image.is_some_and(|image| image == "mine"), "{deployment}");
    Ok(())
}

#[test]
fn what_somebody_takes_away_comes_back() -> Result<()> {
    let story = Story::begin(ControlPlane::shared()?)?;
    let mut controller = Controller::start(&story, "one")?;
    controller.leads()?;
    story.gateway("waypoint", "", "")?;
    let first = story.until("service", "waypoint", |_| true)?;
    story.kubectl(&["delete", "service", "waypoint"])?;
    story.until("service", "waypoint", |service| {
        service["metadata"]["uid"] != first["metadata"]["uid"]
    })?;
    Ok(())
}
