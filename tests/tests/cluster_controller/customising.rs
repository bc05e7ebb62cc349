//! What people want of the objects that a waypoint runs in.

use anyhow::{Result, ensure};
use waypoint_tests::{
    kube::ControlPlane,
    lab::wait::{SOON, until_true},
};

use crate::fixture::{Controller, Story};

const PARAMETERS: &str =
    "infrastructure: { parametersRef: { group: '', kind: ConfigMap, name: mine } }";

/// A ConfigMap with these lines of data.
fn config_map(name: &str, labels: &str, lines: &str) -> String {
    format!(
        "
apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}
  labels: {{ {labels} }}
data:
{lines}
"
    )
}

#[test]
fn replicas_resources_and_budgets_are_what_the_config_maps_say() -> Result<()> {
    let story = Story::begin(ControlPlane::shared()?)?;
    let mut controller = Controller::start(&story, "one")?;
    controller.leads()?;
    story.gateway("waypoint", "", PARAMETERS)?;
    let (reason, message) = story.condition("waypoint", "Accepted", "False")?;
    let expected = format!("parametersRef ConfigMap {}/mine does not exist", story.namespace);
    ensure!((reason.as_str(), &message) == ("InvalidParameters", &expected), "{message}");
    ensure!(story.get("deployment", "waypoint")?.is_none(), "it was deployed");

    // The root namespace of these tests is the story's own.
    let class = "gateway.istio.io/defaults-for-class: istio-waypoint";
    story.apply(&config_map(
        "of-the-class",
        class,
        "  podDisruptionBudget: '{ spec: { minAvailable: 1 } }'\n  deployment: '{ spec: { \
         replicas: 2, template: { spec: { priorityClassName: system-node-critical } } } }'",
    ))?;
    story.apply(&config_map(
        "mine",
        "",
        "  horizontalPodAutoscaler: '{ spec: { maxReplicas: 5 } }'\n  deployment: '{ spec: { \
         replicas: 3 } }'",
    ))?;
    story.condition("waypoint", "Accepted", "True")?;
    story.until("deployment", "waypoint", |deployment| {
        let spec = &deployment["spec"];
        spec["replicas"] == 3
            && spec["template"]["spec"]["priorityClassName"] == "system-node-critical"
    })?;
    story.until("poddisruptionbudget", "waypoint", |one| one["spec"]["minAvailable"] == 1)?;
    story.until("horizontalpodautoscaler", "waypoint", |one| one["spec"]["maxReplicas"] == 5)?;

    // What is no longer asked for goes.
    story.apply(&config_map("mine", "", "  deployment: '{}'"))?;
    story.until("deployment", "waypoint", |deployment| deployment["spec"]["replicas"] == 2)?;
    until_true("an end of the autoscaler", SOON * 2, || {
        Ok(story.get("horizontalpodautoscaler", "waypoint")?.is_none())
    })
}

#[test]
fn what_is_not_understood_is_refused_and_what_runs_goes_on() -> Result<()> {
    let story = Story::begin(ControlPlane::shared()?)?;
    let mut controller = Controller::start(&story, "one")?;
    controller.leads()?;
    story.apply(&config_map("mine", "", "  service: '{}'"))?;
    story.gateway("waypoint", "", PARAMETERS)?;
    story.until("service", "waypoint", |_| true)?;
    story.apply(&config_map("mine", "", "  deploiment: '{}'"))?;
    let (reason, message) = story.condition("waypoint", "Accepted", "False")?;
    ensure!(reason == "InvalidParameters" && message.contains("key deploiment"), "{message}");
    story.apply(&config_map("mine", "", "  service: '{ metadata: { name: other } }'"))?;
    story.until("gateway", "waypoint", |gateway| {
        gateway["status"].to_string().contains("illegal metadata change")
    })?;
    ensure!(story.get("service", "waypoint")?.is_some(), "the service is gone");
    Ok(())
}

#[test]
fn a_gateway_that_refers_to_another_kind_is_refused() -> Result<()> {
    let story = Story::begin(ControlPlane::shared()?)?;
    let mut controller = Controller::start(&story, "one")?;
    controller.leads()?;
    let other = PARAMETERS.replace("''", "example.org").replace("ConfigMap", "Box");
    story.gateway("waypoint", "", &other)?;
    let (reason, message) = story.condition("waypoint", "Accepted", "False")?;
    ensure!(reason == "InvalidParameters", "{reason}");
    let expected =
        "Unsupported parametersRef group/kind example.org/Box, only ConfigMap is supported";
    ensure!(message == expected, "{message}");
    Ok(())
}
