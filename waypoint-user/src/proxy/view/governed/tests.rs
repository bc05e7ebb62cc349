use super::*;
use crate::{mesh::traffic_policy::Retry as DeclaredRetry, telemetry::metrics::Registry};

/// The timeouts of requests, and of each try, where a route and a policy say these milliseconds.
fn timeouts(route: [Option<u64>; 2], policy: [Option<u64>; 2]) -> [Option<u64>; 2] {
    let time = |millis: Option<u64>| millis.map(Duration::from_millis);
    let [request, backend_request] = route.map(time);
    let timeouts = Timeouts { request, backend_request };
    let base = Conduct { timeouts, ..Conduct::default() };
    let mut declared = TrafficPolicy::default();
    let [request, per_try_timeout] = policy.map(time);
    declared.requests.timeouts.request = request;
    declared.requests.retry = Some(DeclaredRetry { per_try_timeout, ..DeclaredRetry::default() });
    let regimes = Arc::new(Regimes::new(&Registry::new()));
    let service = ObjectName::new("default", "shop");
    let governed = Governed::new(&Arc::new(declared), &service, &regimes, &base);
    let Timeouts { request, backend_request } = governed.conduct().timeouts;
    [request, backend_request].map(|time| time.map(|time| u64::try_from(time.as_millis()).unwrap()))
}

#[test]
fn a_policy_s_timeouts_come_before_the_route_s_and_zero_takes_these_away() {
    let route = [Some(500), Some(50)];
    assert_eq!(timeouts(route, [None, None]), route);
    assert_eq!(timeouts(route, [Some(300), Some(30)]), [Some(300), Some(30)]);
    assert_eq!(timeouts(route, [Some(0), Some(0)]), [None, None]);
    assert_eq!(timeouts([None, None], [Some(0), None]), [None, None]);
}
