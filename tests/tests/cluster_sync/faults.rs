//! What happens to the API server, and to the way there.

use std::{thread, time::Duration};

use anyhow::{Result, ensure};
use waypoint_tests::kube::ControlPlane;

use crate::{
    gap::Gap,
    reader::{Reader, has_service, paced, ports, service},
};

#[test]
fn a_killed_api_server_leaves_the_last_state_in_force_and_is_followed_again() -> Result<()> {
    let plane = ControlPlane::start()?;
    let shop = plane.namespace("killed")?;
    plane.apply(&(service(&shop, "reviews", 80) + &service(&shop, "ratings", 80)))?;
    let reader = Reader::start(plane.kubeconfig())?;
    plane.kill_api_server()?;
    reader.wait_for_note("what was read of it stays in force", true)?;
    ensure!(has_service(&shop, "reviews")(&reader.snapshot()), "forgotten");
    plane.start_api_server()?;
    plane.kubectl(&["delete", "service", "ratings", "-n", &shop])?;
    plane.apply(&service(&shop, "reviews", 81))?;
    reader.wait("changed", |snapshot| ports(snapshot, &shop, "reviews") == [81])?;
    reader.wait("deleted", |snapshot| !has_service(&shop, "ratings")(snapshot))?;
    reader.wait_for_note("what was read of it stays in force", false)
}

#[test]
fn an_api_server_that_is_not_there_yet_is_waited_for() -> Result<()> {
    let plane = ControlPlane::start()?;
    let shop = plane.namespace("early")?;
    plane.apply(&service(&shop, "reviews", 80))?;
    plane.kill_api_server()?;
    let settings = paced(plane.kubeconfig(), |_| ());
    thread::scope(|scope| {
        let reader = scope.spawn(|| Reader::of(settings));
        plane.start_api_server()?;
        let reader = reader.join().expect("no panic")?;
        ensure!(has_service(&shop, "reviews")(&reader.snapshot()), "not in the first Snapshot");
        Ok(())
    })
}

#[test]
fn a_watch_that_is_cut_goes_on_where_it_ended() -> Result<()> {
    let plane = ControlPlane::start()?;
    let shop = plane.namespace("cut")?;
    plane.apply(&service(&shop, "reviews", 80))?;
    let reader = Reader::start(plane.kubeconfig())?;
    for port in 81..86 {
        plane.cut_connections();
        plane.apply(&service(&shop, "reviews", port))?;
        reader.wait("changed", |snapshot| ports(snapshot, &shop, "reviews") == [port])?;
    }
    ensure!(reader.metric("waypoint_sync_watch_restarts_total", "Service") >= 1.0);
    ensure!(reader.metric("waypoint_sync_watch_restarts_total", "expired") < 1.0);
    Ok(())
}

#[test]
fn what_was_deleted_behind_a_forgotten_past_is_gone() -> Result<()> {
    let plane = ControlPlane::start()?;
    let shop = plane.namespace("compacted")?;
    plane.apply(&(service(&shop, "reviews", 80) + &service(&shop, "ratings", 80)))?;
    let gap = Gap::before(&plane)?;
    let reader = Reader::start(gap.kubeconfig())?;
    gap.close();
    plane.kubectl(&["delete", "service", "ratings", "-n", &shop])?;
    plane.apply(&service(&shop, "details", 80))?;
    plane.compact()?;
    plane.kill_api_server()?;
    plane.start_api_server()?;
    ensure!(has_service(&shop, "ratings")(&reader.snapshot()), "how does it know?");
    gap.open();
    reader.wait("made meanwhile", has_service(&shop, "details"))?;
    reader.wait("deleted meanwhile", |snapshot| !has_service(&shop, "ratings")(snapshot))?;
    ensure!(reader.metric("waypoint_sync_watch_restarts_total", "expired") >= 1.0);
    Ok(())
}

#[test]
fn a_server_that_is_silent_for_longer_than_a_watch_lasts_is_followed_again() -> Result<()> {
    let plane = ControlPlane::start()?;
    let shop = plane.namespace("silent")?;
    plane.apply(&service(&shop, "reviews", 80))?;
    let settings = paced(plane.kubeconfig(), |pace| {
        pace.watch = Duration::from_secs(2);
        pace.silence = Duration::from_secs(3);
        pace.answer = Duration::from_secs(1);
    });
    let reader = Reader::of(settings)?;
    plane.pause()?;
    reader.wait_for_note("the server was silent for too long", true)?;
    ensure!(has_service(&shop, "reviews")(&reader.snapshot()), "forgotten");
    plane.resume()?;
    plane.apply(&service(&shop, "reviews", 81))?;
    reader.wait("changed", |snapshot| ports(snapshot, &shop, "reviews") == [81])?;
    reader.wait_for_note("the server was silent for too long", false)
}

#[test]
fn a_watch_that_ends_as_watches_do_misses_nothing() -> Result<()> {
    let plane = ControlPlane::shared()?;
    let shop = plane.namespace("ending")?;
    let reader = Reader::of(paced(plane.kubeconfig(), |pace| pace.watch = Duration::from_secs(1)))?;
    for port in 80..90 {
        plane.apply(&service(&shop, "reviews", port))?;
        reader.wait("changed", |snapshot| ports(snapshot, &shop, "reviews") == [port])?;
    }
    ensure!(reader.metric("waypoint_sync_watch_restarts_total", "ended") >= 1.0);
    Ok(())
}
