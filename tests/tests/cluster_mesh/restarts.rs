use anyhow::ensure;
use waypoint_tests::{
    lab::{
        Gateway, LabBuilder, WaypointPod,
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
    // Clients pace themselves before they try again.
    let unlabel = ["label", "namespace", "shop", "istio.io/use-waypoint-"];
    plane.kubectl(&unlabel)?;
    until_true("the change after the restart", SOON * 2, || go_through(&lab, &[]))?;
    moved(&lab, "label namespace shop istio.io/use-waypoint=other", &["other"])?;
    traffic.unharmed()
});

const PROGRAMMED: &[&str] =
    &["wait", "--for=condition=Programmed", "gateway/late", "--namespace=shop", "--timeout=30s"];
