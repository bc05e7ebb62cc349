use std::path::Path;

use super::check;
use crate::tidy::paths;
use crate::tidy::source::Source;

fn complaints(path: &str, text: &str) -> Vec<String> {
    let source = Source::parse(Path::new(path), text.to_owned()).unwrap();
    let crates = ["aya", "tokio", "leftpad"].map(str::to_owned);
    let found = check(&source, &paths::of(source.tokens.clone()), &crates);
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn a_lower_level_may_not_reach_up() {
    let found = complaints("waypoint-user/src/route/table.rs", "use crate::proxy::Engine;");
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("waypoint-user/src/route/table.rs:1: `route` imports `proxy`"));
}

#[test]
fn reaching_up_by_super_is_seen() {
    assert_eq!(complaints("waypoint-user/src/mesh/host.rs", "use super::super::sync::X;").len(), 1);
    assert_eq!(complaints("waypoint-user/src/mesh/host.rs", "use super::object::X;").len(), 0);
}

#[test]
fn an_inline_path_counts_as_an_import() {
    let found = complaints("waypoint-user/src/sync.rs", "fn f() { crate::kernel::load(); }");
    assert_eq!(found.len(), 1);
}

#[test]
fn a_module_may_import_what_its_row_names() {
    let text = "use crate::{mesh::Service, route::Table};";
    assert!(complaints("waypoint-user/src/proxy/http.rs", text).is_empty());
    assert!(
        complaints("waypoint-user/src/bin/waypointd.rs", "use waypoint_user::roles::X;").is_empty()
    );
}

#[test]
fn a_foreign_crate_has_its_owners() {
    assert!(complaints("waypoint-user/src/kernel/maps.rs", "use aya::maps::Map;").is_empty());
    assert_eq!(complaints("waypoint-user/src/sync.rs", "use aya::maps::Map;").len(), 1);
    assert_eq!(
        complaints("waypoint-user/src/policy.rs", "fn f(t: tokio::time::Instant) {}").len(),
        1
    );
}

#[test]
fn a_crate_or_a_module_without_a_row_is_a_complaint() {
    assert_eq!(complaints("waypoint-user/src/sync.rs", "use leftpad::pad;").len(), 1);
    assert_eq!(complaints("waypoint-user/src/drawer.rs", "").len(), 1);
}
