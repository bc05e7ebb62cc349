use super::*;

#[test]
fn what_a_node_has_below_run_and_var_is_found_outside() {
    let place = Place::standing();
    let find = |inside| outside(&place, "node-1", inside).display().to_string();
    assert_eq!(find("/run"), "/run/waypoint-cluster/node-1/");
    assert_eq!(find("/run/node/ca.crt"), "/run/waypoint-cluster/node-1/node/ca.crt");
    assert_eq!(find("/var/lib"), "/var/tmp/waypoint-cluster/node-1/lib");
}
