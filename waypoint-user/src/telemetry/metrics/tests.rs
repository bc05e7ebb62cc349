use super::*;

#[test]
fn sources_are_read_at_each_scrape() {
    let registry = Registry::new();
    let reads = std::sync::atomic::AtomicU64::new(0);
    registry.counter_source("waypoint_flows_total", "Flows.", "outcome", move || {
        vec![("hit".to_owned(), 1 + reads.fetch_add(1, std::sync::atomic::Ordering::Relaxed))]
    });
    registry.gauge_source("waypoint_links", "Links.", "hook", || vec![("tcx".to_owned(), 7)]);
    assert!(registry.encode().contains("waypoint_flows_total{outcome=\"hit\"} 1\n"));
    let text = registry.encode();
    assert!(text.contains("waypoint_flows_total{outcome=\"hit\"} 2\n"), "{text}");
    assert!(text.contains("# TYPE waypoint_links gauge\nwaypoint_links{hook=\"tcx\"} 7\n"));
}

#[test]
fn a_source_with_nothing_to_say_does_not_break_the_others() {
    let registry = Registry::new();
    registry.counter_source("waypoint_nothing_total", "Nothing.", "a", Vec::new);
    registry.gauge_source("waypoint_something", "Something.", "a", || vec![("b".to_owned(), 1)]);
    assert!(registry.encode().contains("waypoint_something{a=\"b\"} 1\n"));
}

#[test]
fn limits_are_counted_by_name() {
    let registry = Registry::new();
    let limit = registry.limit("streams");
    limit.hit();
    limit.hit();
    assert!(registry.encode().contains("waypoint_limit_hits_total{limit=\"streams\"} 2\n"));
}
