//! Who writes, and that nobody writes twice.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use waypoint_tests::kube::ControlPlane;

use crate::fixture::{Controller, Story, lease_of};

/// The versions of all that a waypoint of this name runs in, and of its Gateway.
fn versions(story: &Story<'_>, name: &str) -> Result<Vec<Value>> {
    let version = |kind: &str| -> Result<Value> {
        let object = story.get(kind, name)?.with_context(|| format!("no {kind} {name}"))?;
        Ok(object["metadata"]["resourceVersion"].clone())
    };
    ["gateway", "deployment", "service", "serviceaccount"].into_iter().map(version).collect()
}

#[test]
fn a_restarted_controller_writes_nothing_when_nothing_changed() -> Result<()> {
    let story = Story::begin(ControlPlane::shared()?)?;
    let mut first = Controller::start(&story, "one")?;
    first.leads()?;
    story.gateway("waypoint", "", "")?;
    story.until("service", "waypoint", |_| true)?;
    story.endpoint("waypoint", true)?;
    story.condition("waypoint", "Programmed", "True")?;
    first.settled()?;
    let before = versions(&story, "waypoint")?;
    ensure!(first.stop()?.success());
    let mut second = Controller::start(&story, "two")?;
    second.leads()?;
    ensure!(second.settled()? == 0.0, "{} writes", second.writes()?);
    ensure!(versions(&story, "waypoint")? == before);
    Ok(())
}

#[test]
fn when_the_leader_is_killed_another_leads_and_nothing_is_written_twice() -> Result<()> {
    let story = Story::begin(ControlPlane::shared()?)?;
    let mut first = Controller::start(&story, "one")?;
    first.leads()?;
    let mut second = Controller::start(&story, "two")?;
    story.gateway("before", "", "")?;
    story.until("service", "before", |_| true)?;
    first.settled()?;
    let before = versions(&story, "before")?;
    ensure!(second.settled()? == 0.0, "it writes without leading");
    drop(first);
    story.gateway("after", "", "")?;
    second.leads()?;
    story.until("service", "after", |_| true)?;
    story.condition("after", "Accepted", "True")?;
    second.settled()?;
    ensure!(versions(&story, "before")? == before);
    let lease = story.get("lease", &lease_of(&story.revision))?.context("no lease")?;
    ensure!(lease["spec"]["holderIdentity"] == "two", "{lease}");
    Ok(())
}

#[test]
fn a_leader_that_is_asked_to_end_gives_its_lease_back() -> Result<()> {
    let story = Story::begin(ControlPlane::shared()?)?;
    let mut first = Controller::start(&story, "one")?;
    first.leads()?;
    ensure!(first.stop()?.success());
    let lease = story.get("lease", &lease_of(&story.revision))?.context("no lease")?;
    ensure!(lease["spec"]["holderIdentity"].as_str().unwrap_or_default().is_empty(), "{lease}");
    Ok(())
}

#[test]
fn the_controller_outlives_the_api_server() -> Result<()> {
    let plane = ControlPlane::start()?;
    let story = Story::begin(&plane)?;
    let mut controller = Controller::start(&story, "one")?;
    controller.leads()?;
    story.gateway("before", "", "")?;
    story.until("service", "before", |_| true)?;
    controller.settled()?;
    let before = versions(&story, "before")?;
    plane.kill_api_server()?;
    plane.start_api_server()?;
    story.gateway("after", "", "")?;
    controller.leads()?;
    story.until("service", "after", |_| true)?;
    story.condition("after", "Accepted", "True")?;
    ensure!(versions(&story, "before")? == before);
    Ok(())
}

#[test]
fn controllers_of_two_revisions_share_a_namespace_and_each_serves_its_own() -> Result<()> {
    let story = Story::begin(ControlPlane::shared()?)?;
    let next = format!("{}-next", story.revision);
    let mut one = Controller::start(&story, "one")?;
    let mut two = Controller::start_of(&story, "two", &next)?;
    one.leads()?;
    two.leads()?;
    story.gateway("now", "", "")?;
    story.gateway("next", &format!("labels: {{ istio.io/rev: {next} }}"), "")?;
    for (name, revision) in [("now", &story.revision), ("next", &next)] {
        story.until("deployment", name, |object| {
            let annotations = object.pointer("/spec/template/metadata/annotations");
            annotations.is_some_and(|all| all["istio.io/rev"] == **revision)
        })?;
        story.condition(name, "Accepted", "True")?;
    }
    let holder = |lease: &str| -> Result<Value> {
        let lease = story.get("lease", lease)?.context("no lease")?;
        Ok(lease["spec"]["holderIdentity"].clone())
    };
    ensure!(holder(&lease_of(&story.revision))? == "one");
    ensure!(holder(&lease_of(&next))? == "two");
    let mesh = holder("waypoint-leader")?;
    ensure!(mesh == "one" || mesh == "two", "{mesh}");
    // A Gateway goes over to the other controller with its label, and is disturbed by neither.
    story.kubectl(&["label", "gateway", "now", &format!("istio.io/rev={next}")])?;
    story.until("deployment", "now", |object| {
        let annotations = object.pointer("/spec/template/metadata/annotations");
        annotations.is_some_and(|all| all["istio.io/rev"] == *next)
    })?;
    one.settled()?;
    let before = two.settled()?;
    ensure!(two.settled()? <= before, "they write against each other");
    Ok(())
}
