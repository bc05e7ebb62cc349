use super::*;

#[test]
fn the_definitions_that_are_deployed_are_those_of_the_types() {
    let deployed = include_str!("../../../../deploy/base/crds/waypoint.dev.yaml");
    assert!(deployed == definitions(), "run `cargo xtask crds`");
}
