use super::*;

#[test]
fn who_finds_no_place_is_counted_and_places_come_back() {
    let registry = Registry::new();
    let limits = Limits::new(&registry);
    let hits = |limit: &str, count: u64| {
        let line = format!("waypoint_limit_hits_total{{limit=\"{limit}\"}} {count}\n");
        registry.encode().contains(&line)
    };
    let mut connections: Vec<_> = (0..CONNECTIONS_MAX).map(|_| limits.connection()).collect();
    let mut requests: Vec<_> = (0..REQUESTS_MAX).map(|_| limits.request()).collect();
    assert!(connections.iter().all(Option::is_some) && requests.iter().all(Option::is_some));
    assert!(hits("ca_connections", 0) && hits("ca_requests", 0));
    assert!(limits.connection().is_none() && limits.request().is_none());
    assert!(hits("ca_connections", 1) && hits("ca_requests", 1));
    connections.pop();
    requests.pop();
    assert!(limits.connection().is_some() && limits.request().is_some());
}
