use super::*;

/// A level that nothing logs by, and the filter that keeps it alive.
pub(in crate::telemetry) fn detached(
    directives: &str,
) -> (reload::Layer<EnvFilter, Registry>, LogLevel) {
    reloadable(directives).unwrap()
}

#[test]
fn the_level_changes_at_run_time() {
    let (_filter, level) = detached("info");
    assert_eq!(level.current(), "info");
    level.set("warn,waypoint_user=debug").unwrap();
    assert!(level.current().contains("waypoint_user=debug"), "{}", level.current());
}

#[test]
fn a_level_that_is_none_is_refused_and_changes_nothing() {
    let (_filter, level) = detached("info");
    for wrong in ["", " ", "info=bogus", "a=b=c"] {
        assert!(level.set(wrong).is_err(), "{wrong:?} was accepted");
    }
    assert_eq!(level.current(), "info");
}
