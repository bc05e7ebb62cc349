//! Who writes, and that nobody writes twice.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use waypoint_tests::kube::ControlPlane;

use crate::fixture::{Controller, Story};

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
    let lease = story.get("lease", "waypoint-controller")?.context("no lease")?;
    ensure!(lease["spec"]["holderIdentity"] == "two", "{lease}");
    Ok(())
}

#[test]
fn a_leader_that_is_asked_to_end_gives_its_lease_back() -> Result<()> {
    let story = Story::begin(ControlPlane::shared()?)?;
    let mut first = Controller::start(&story, "one")?;
    first.leads()?;
    ensure!(first.stop()?.success());
    let lease = story.get("lease", "waypoint-controller")?.context("no lease")?;
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
