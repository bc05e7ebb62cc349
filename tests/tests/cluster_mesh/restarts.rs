use anyhow::{Result, ensure};
use waypoint_tests::{
    lab::{
        Gateway, Lab, LabBuilder, WaypointPod,
        wait::{SOON, until_true},
    },
    story,
};

use crate::traffic::{Traffic, go_through, moved, town};

story!(a_controller_that_restarts_fails_no_request_and_catches_up, |lab: LabBuilder| {
    let mut lab = town(lab).start()?;
    moved(&lab, "label namespace shop istio.io/use-waypoint=waypoint", &["waypoint"])?;
    let traffic = Traffic::begin(&lab)?;
    ensure!(lab.authority_mut()?.daemon().stop()?.success(), "the controller did not end well");
    // Who leads no traffic need not be there for it to move.
    moved(&lab, "label namespace shop istio.io/use-waypoint-", &[])?;
    moved(&lab, "label namespace shop istio.io/use-waypoint=other", &["other"])?;
    lab.authority_mut()?.resume()?;
    lab.put_gateway(Gateway::new("shop", "late"))?;
    lab.add_pod(WaypointPod::of("shop", "late").on_node("n2"))?;
    lab.control_plane()?.kubectl(PROGRAMMED)?;
    moved(&lab, "label namespace shop --overwrite istio.io/use-waypoint=late", &["late"])?;
    traffic.unharmed()
});

story!(an_api_server_that_restarts_fails_no_request_and_is_followed_again, |lab: LabBuilder| {
    let lab = town(lab).start()?;
    moved(&lab, "label namespace shop istio.io/use-waypoint=waypoint", &["waypoint"])?;
    let traffic = Traffic::begin(&lab)?;
    let plane = lab.control_plane()?;
    plane.kill_api_server()?;
    for _ in 0..20 {
        ensure!(go_through(&lab, &["waypoint"])?, "requests took another way");
    }
    plane.start_api_server()?;
    everybody_follows(&lab)?;
    moved(&lab, "label namespace shop istio.io/use-waypoint-", &[])?;
    moved(&lab, "label namespace shop istio.io/use-waypoint=other", &["other"])?;
    traffic.unharmed()
});

/// Waits until all agents and waypoints have read what is written now: they pace themselves before
/// they try a server again that was away.
fn everybody_follows(lab: &Lab) -> Result<()> {
    let plane = lab.control_plane()?;
    plane.kubectl(&["annotate", "namespace", "infra", "example.org/seen=yes"])?;
    let version = "--output=jsonpath={.metadata.resourceVersion}";
    let version: f64 = plane.kubectl(&["get", "namespace", "infra", version])?.trim().parse()?;
    let agents = ["n1", "n2"].into_iter().map(|node| lab.agent_on(node).map(|agent| &**agent));
    let waypoints = ["waypoint", "other", "shared"].into_iter().map(|pod| lab.waypoint(pod));
    for daemon in agents.chain(waypoints) {
        let daemon = daemon?;
        until_true(&format!("namespaces as they are, in {}", daemon.name()), SOON * 3, || {
            Ok(daemon.metrics()?.sum(READ, &[("kind", "Namespace")]) >= version)
        })?;
    }
    Ok(())
}

const READ: &str = "waypoint_sync_resource_version";
const PROGRAMMED: &[&str] =
    &["wait", "--for=condition=Programmed", "gateway/late", "--namespace=shop", "--timeout=30s"];
