use waypoint_tests::{
    lab::{
        LabBuilder, Pod, WaypointPod,
        wait::{SOON, until_true},
    },
    story,
};

use crate::traffic::{Traffic, answered_by, go_through, moved, town};

story!(
    a_new_pod_takes_its_part_and_an_old_one_leaves_without_a_failed_request,
    |lab: LabBuilder| {
        let mut lab = town(lab).start()?;
        moved(&lab, "label namespace shop istio.io/use-waypoint=waypoint", &["waypoint"])?;
        let traffic = Traffic::begin(&lab)?;
        lab.add_pod(Pod::server("shop", "reviews-v2", "reviews").on_node("n1"))?;
        answered_by(&lab, &["reviews-v1", "reviews-v2"])?;
        lab.edit_pod("reviews-v1", |pod| pod.ready(false))?;
        answered_by(&lab, &["reviews-v2"])?;
        traffic.unharmed()
    }
);

story!(a_waypoint_moves_to_another_node_without_a_failed_request, |lab: LabBuilder| {
    let mut lab = town(lab).start()?;
    moved(&lab, "label namespace shop istio.io/use-waypoint=waypoint", &["waypoint"])?;
    let traffic = Traffic::begin(&lab)?;
    lab.add_pod(WaypointPod::of("shop", "waypoint").named("waypoint-b").on_node("n1"))?;
    until_true("requests through either pod", SOON, || {
        go_through(&lab, &["waypoint", "waypoint-b"])
    })?;
    lab.end_waypoint("waypoint")?;
    until_true("requests through the new pod", SOON, || go_through(&lab, &["waypoint-b"]))?;
    traffic.unharmed()
});
