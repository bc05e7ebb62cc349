//! Labels that a person sets with kubectl move traffic that flows.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use waypoint_tests::{
    lab::{Lab, LabBuilder, Object, Pod, Service, wait},
    story,
    story::shop,
};

/// Labels a Service with kubectl, and measures until its requests take another way.
fn moved(lab: &Lab, label: &str, arrived: impl Fn(&Lab) -> Result<bool>) -> Result<()> {
    let plane = lab.control_plane()?;
    let before = Instant::now();
    plane.kubectl(&["label", "service", "reviews", "--namespace=shop", "--overwrite", label])?;
    // kubectl itself takes long to start; what counts begins when the server has the label.
    let written = Instant::now();
    wait::until_true(label, wait::SOON, || arrived(lab))?;
    let (took, all) = (written.elapsed(), before.elapsed());
    println!("{label}: {took:?} after kubectl had ended, {all:?} with it");
    ensure!(took < Duration::from_secs(1), "{label} took {took:?}");
    Ok(())
}

/// Whether a request takes the way through a waypoint.
fn is_waypointed(lab: &Lab) -> Result<bool> {
    let reply = lab.from("web").to("reviews").send()?;
    ensure!(reply.status == 200, "{}", reply.status);
    Ok(reply.server_saw_peer()? != lab.pod_address("web")?.ip())
}

story!(labels_changed_with_kubectl_move_live_traffic_within_a_second, |lab: LabBuilder| {
    let lab = shop(lab).in_cluster().start()?;
    ensure!(!is_waypointed(&lab)?, "it went through a waypoint that nothing names");
    for _ in 0..3 {
        moved(&lab, "istio.io/use-waypoint=waypoint", is_waypointed)?;
        moved(&lab, "istio.io/use-waypoint-", |lab| Ok(!is_waypointed(lab)?))?;
    }
    Ok(())
});

story!(pods_that_come_and_go_are_followed, |lab: LabBuilder| {
    let lab = shop(lab)
        .pod(Pod::server("shop", "ratings-v1", "ratings"))
        .service(Service::new("shop", "ratings").uses("waypoint"))
        .in_cluster()
        .start()?;
    lab.through_waypoint(&lab.from("web").to("ratings"))?;
    let plane = lab.control_plane()?;
    let ratings = ["pod", "ratings-v1", "--namespace=shop"];
    plane.kubectl(&[&["delete", "--force"], &ratings[..]].concat())?;
    wait::until_true("no endpoint any more", wait::SOON, || {
        Ok(lab.from("web").to("ratings").send()?.status == 503)
    })
    .context("a pod that is gone is still called")
});
