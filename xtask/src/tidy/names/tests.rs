use std::path::Path;

use super::check;
use crate::tidy::source::Source;

fn count(path: &str, text: &str) -> usize {
    check(&Source::parse(Path::new(path), text.to_owned()).unwrap()).len()
}

#[test]
fn names_that_fit_anything_are_refused() {
    let doc = "//! Doc.\n";
    assert_eq!(count("waypoint-user/src/sync/watch.rs", &format!("{doc}struct PodManager;")), 1);
    assert_eq!(count("waypoint-user/src/sync/watch.rs", &format!("{doc}enum RouteData {{}}")), 1);
    assert_eq!(count("waypoint-user/src/sync/watch.rs", &format!("{doc}mod utils;")), 1);
    assert_eq!(count("waypoint-user/src/sync/helpers.rs", doc), 1);
    assert_eq!(count("waypoint-user/src/sync/watch.rs", &format!("{doc}struct Database;")), 0);
    assert_eq!(count("waypoint-common/src/addr.rs", doc), 0);
}

#[test]
fn a_module_says_what_it_is() {
    assert_eq!(count("waypoint-user/src/sync/watch.rs", "struct Watch;"), 1);
    assert_eq!(count("waypoint-user/src/sync/watch/tests.rs", "struct Watch;"), 0);
}

#[test]
fn mod_rs_is_refused() {
    assert_eq!(count("waypoint-user/src/sync/mod.rs", "//! Doc."), 1);
}
