use waypoint_tests::{lab::LabBuilder, story};

use crate::traffic::{Traffic, go_through, moved, town};

story!(labels_of_a_namespace_move_live_traffic_between_nodes_within_a_second, |lab: LabBuilder| {
    let lab = town(lab).start()?;
    assert!(go_through(&lab, &[])?, "it went through a waypoint that nothing names");
    let traffic = Traffic::begin(&lab)?;
    for _ in 0..2 {
        moved(&lab, "label namespace shop istio.io/use-waypoint=waypoint", &["waypoint"])?;
        moved(&lab, "label namespace shop istio.io/use-waypoint-", &[])?;
    }
    traffic.unharmed()
});

story!(a_namespace_that_leaves_the_mesh_and_joins_it_fails_no_request, |lab: LabBuilder| {
    let lab = town(lab).start()?;
    let traffic = Traffic::begin(&lab)?;
    moved(&lab, "label namespace shop istio.io/use-waypoint=waypoint", &["waypoint"])?;
    for _ in 0..2 {
        moved(&lab, "label namespace shop istio.io/dataplane-mode-", &[])?;
        moved(&lab, "label namespace shop istio.io/dataplane-mode=ambient", &["waypoint"])?;
    }
    traffic.unharmed()
});

story!(labels_of_a_service_move_live_traffic_from_waypoint_to_waypoint, |lab: LabBuilder| {
    let lab = town(lab).start()?;
    let traffic = Traffic::begin(&lab)?;
    moved(&lab, "label service reviews -n shop istio.io/use-waypoint=waypoint", &["waypoint"])?;
    let other = "label service reviews -n shop --overwrite istio.io/use-waypoint=other";
    moved(&lab, other, &["other"])?;
    let shared = "label service reviews -n shop --overwrite istio.io/use-waypoint=shared \
                  istio.io/use-waypoint-namespace=infra";
    moved(&lab, shared, &["shared"])?;
    let back = "label service reviews -n shop istio.io/use-waypoint- \
                istio.io/use-waypoint-namespace-";
    moved(&lab, back, &[])?;
    traffic.unharmed()
});
