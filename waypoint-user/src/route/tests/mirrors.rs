//! Which requests are copied.

use super::*;
use crate::mesh::route::Mirror;

fn mirror(to: &str, share: u32, of: u32) -> HttpFilter {
    HttpFilter::Mirror(Mirror { service: ObjectName::new("default", to), port: 80, share, of })
}

fn mirrored(filters: Vec<HttpFilter>, roll: u32) -> Vec<String> {
    let table = table_of(HttpRule { filters, ..rule(vec![], "b") });
    match table.rules(None).unwrap().choose(&url("/"), &mut |bound| roll.min(bound - 1)) {
        Choice::Forward { mirrors, .. } => {
            mirrors.into_iter().map(|one| one.service.name.clone()).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_mirror_gets_its_share() {
    let both = || vec![mirror("first", 25, 100), mirror("second", 1, 3)];
    assert_eq!(mirrored(both(), 0), ["first", "second"]);
    assert_eq!(mirrored(both(), 24), ["first"]);
    assert_eq!(mirrored(both(), 25), [""; 0]);
    assert_eq!(mirrored(vec![mirror("none", 0, 100)], 0), [""; 0]);
    assert_eq!(mirrored(vec![mirror("all", 100, 100)], 99), ["all"]);
}

#[test]
fn a_backend_has_mirrors_of_its_own() {
    let mut one = rule(vec![], "b");
    one.backends[0].filters = vec![mirror("backends", 1, 1)];
    one.filters = vec![mirror("rules", 1, 1)];
    match choose(&table_of(one), &url("/")) {
        Choice::Forward { mirrors, .. } => assert_eq!(mirrors.len(), 2),
        other => panic!("{other:?}"),
    }
}
