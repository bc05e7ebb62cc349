use std::path::Path;

use super::check;
use crate::tidy::paths;
use crate::tidy::source::Source;

fn count(path: &str, text: &str) -> usize {
    let source = Source::parse(Path::new(path), text.to_owned()).unwrap();
    check(&source, &paths::of(source.tokens.clone())).len()
}

#[test]
fn unsafe_code_has_its_crates() {
    assert_eq!(count("waypoint-user/src/kernel/maps.rs", "fn f() { unsafe { g() } }"), 1);
    assert_eq!(count("waypoint-ebpf/src/act.rs", "fn f() { unsafe { g() } }"), 0);
}

#[test]
fn a_crate_root_forbids_unsafe_code() {
    assert_eq!(count("waypoint-user/src/lib.rs", "pub mod mesh;"), 1);
    assert_eq!(count("waypoint-user/src/lib.rs", "#![forbid(unsafe_code)]"), 0);
    assert_eq!(count("waypoint-user/src/bin/waypointd.rs", "fn main() {}"), 1);
    assert_eq!(count("waypoint-user/src/bin/waypointd/main.rs", "fn main() {}"), 1);
    assert_eq!(count("waypoint-user/src/bin/waypointd/args.rs", "fn parse() {}"), 0);
}

#[test]
fn the_environment_is_read_in_binaries() {
    let text = "fn f() { std::env::var_os(\"X\"); }";
    assert_eq!(count("waypoint-user/src/sync/settings.rs", text), 1);
    assert_eq!(count("waypoint-user/build.rs", text), 0);
}

#[test]
fn tests_do_not_sleep() {
    let text = "async fn f() { tokio::time::sleep(d).await }";
    assert_eq!(count("tests/tests/enrol.rs", text), 1);
    assert_eq!(count("waypoint-user/src/proxy/sniff/tests.rs", text), 1);
    assert_eq!(count("waypoint-user/src/kernel/probe.rs", text), 0);
    let waits = "async fn f() { while !done() { tokio::time::sleep(d).await } }";
    assert_eq!(count("waypoint-user/src/proxy/sniff/tests.rs", waits), 0);
}

#[test]
fn an_ignored_test_says_why() {
    assert_eq!(count("tests/tests/a.rs", "#[test] #[ignore] fn f() {}"), 1);
    assert_eq!(count("tests/tests/a.rs", "#[test] #[ignore = \"why\"] fn f() {}"), 0);
}
