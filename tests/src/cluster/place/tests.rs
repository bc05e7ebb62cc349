use super::*;

#[test]
fn the_standing_cluster_does_not_own_what_a_story_made() {
    let standing = Place::standing();
    assert!(standing.is_mine("waypoint-cluster-node-1"));
    assert!(!standing.is_mine("waypoint-cluster-4711-node-1"));
}

#[test]
fn a_storys_cluster_owns_its_own_things_only() {
    let story = Place::named("waypoint-cluster-471");
    assert!(story.is_mine("waypoint-cluster-471-plane"));
    assert!(!story.is_mine("waypoint-cluster-4711-plane"));
    assert!(!story.is_mine("waypoint-cluster-plane"));
}
