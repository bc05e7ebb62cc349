use super::{rates::BUCKETS_MAX, *};
use crate::mesh::traffic_policy::{Budget, RateLimitKey, RequestRules, SuccessRate};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn rules() -> OutlierDetection {
    OutlierDetection {
        consecutive_5xx: 3,
        consecutive_gateway_errors: 2,
        success_rate: None,
        interval: secs(10),
        base_ejection_time: secs(30),
        max_ejection_time: secs(300),
        max_ejection_percent: 50,
    }
}

fn regimes() -> Regimes {
    Regimes::new(&Registry::default())
}

fn place() -> Place {
    (ObjectName::new("a", "s"), 80)
}

fn addresses(count: u16) -> impl Iterator<Item = SocketAddr> {
    (1..=count).map(|port| SocketAddr::from(([10, 0, 0, 1], port)))
}

fn health(rules: OutlierDetection, count: u16) -> (Arc<ClusterHealth>, Vec<Arc<Health>>) {
    regimes().health(&place(), rules, addresses(count))
}

fn answer(cluster: &ClusterHealth, host: &Health, outcomes: &[Outcome], now: Duration) {
    for outcome in outcomes {
        cluster.answered(host, *outcome, now);
    }
}

#[test]
fn failures_in_a_row_eject_an_endpoint_for_a_while() {
    use Outcome::{Failed, FailedAsGateway, Good};
    let (cluster, hosts) = health(rules(), 4);
    answer(&cluster, &hosts[0], &[Failed, Failed, Good, Failed, Failed], secs(1));
    assert!(!hosts[0].is_ejected(secs(1)));
    answer(&cluster, &hosts[0], &[Failed], secs(1));
    assert!(hosts[0].is_ejected(secs(1)) && hosts[0].is_ejected(secs(30)));
    assert!(!hosts[0].is_ejected(secs(31)) && !cluster.has_ejected(secs(31)));
    answer(&cluster, &hosts[1], &[FailedAsGateway, Failed, FailedAsGateway], secs(40));
    assert!(hosts[1].is_ejected(secs(40)), "three of any kind");
    answer(&cluster, &hosts[2], &[FailedAsGateway, FailedAsGateway], secs(40));
    assert!(hosts[2].is_ejected(secs(40)), "two of a gateway's");
}

#[test]
fn who_is_ejected_again_stays_away_for_longer() {
    let (cluster, hosts) = health(OutlierDetection { interval: secs(1000), ..rules() }, 4);
    answer(&cluster, &hosts[0], &[Outcome::Failed; 3], secs(0));
    answer(&cluster, &hosts[0], &[Outcome::Failed; 3], secs(40));
    assert!(hosts[0].is_ejected(secs(99)) && !hosts[0].is_ejected(secs(100)));
}

#[test]
fn no_more_than_the_permitted_part_is_ejected() {
    let (cluster, hosts) = health(rules(), 4);
    for host in &hosts {
        answer(&cluster, host, &[Outcome::Failed; 3], secs(1));
    }
    let ejected = hosts.iter().filter(|host| host.is_ejected(secs(1))).count();
    assert_eq!(ejected, 2);
}

#[test]
fn success_rates_are_looked_at_once_an_interval() {
    let rate = SuccessRate { minimum_hosts: 5, request_volume: 10, stdev_factor: 1500 };
    let only_rate =
        OutlierDetection { consecutive_5xx: 0, consecutive_gateway_errors: 0, ..rules() };
    let (cluster, hosts) = health(OutlierDetection { success_rate: Some(rate), ..only_rate }, 5);
    answer(&cluster, &hosts[4], &[Outcome::Failed; 20], secs(1));
    for host in &hosts[..4] {
        answer(&cluster, host, &[Outcome::Good; 20], secs(2));
    }
    assert!(!cluster.has_ejected(secs(2)), "the interval is not over");
    answer(&cluster, &hosts[0], &[Outcome::Good], secs(12));
    let ejected: Vec<bool> = hosts.iter().map(|host| host.is_ejected(secs(12))).collect();
    assert_eq!(ejected, [false, false, false, false, true]);
}

#[test]
fn health_outlives_a_change_of_endpoints_but_not_of_rules() {
    let regimes = regimes();
    let (cluster, hosts) = regimes.health(&place(), rules(), addresses(2));
    answer(&cluster, &hosts[0], &[Outcome::Failed; 3], secs(1));
    let (_kept, more) = regimes.health(&place(), rules(), addresses(3));
    assert!(more[0].is_ejected(secs(2)));
    let other = OutlierDetection { interval: secs(1), ..rules() };
    let (_other, again) = regimes.health(&place(), other, addresses(2));
    assert!(!again[0].is_ejected(secs(2)));
}

#[test]
fn a_breaker_lets_so_many_pass_and_the_next_when_one_is_done() {
    let regimes = regimes();
    let most = CircuitBreaker { requests: Some(2), ..CircuitBreaker::default() };
    let breaker = regimes.breaker(&place(), most, 1);
    let first = breaker.request();
    let second = breaker.request();
    assert!(first.is_some() && second.is_some() && breaker.request().is_none());
    assert!(breaker.connection().is_some(), "what has no number has no limit");
    drop(first);
    assert!(breaker.request().is_some());
    // Fewer are allowed while one is open: it stays, and none comes.
    let same = regimes.breaker(&place(), CircuitBreaker { requests: Some(1), ..most }, 2);
    assert!(Arc::ptr_eq(&same, &breaker) && breaker.request().is_none());
    // Somebody who goes by an older view asks for it.
    regimes.breaker(&place(), most, 1);
    assert!(breaker.request().is_none());
    drop(second);
    assert!(breaker.request().is_some());
}

#[test]
fn a_budget_is_a_part_of_the_requests_and_a_reserve() {
    let spending = Spending::default();
    let budget = Budget { percent: 20, min_retries_per_second: 1 };
    let spend = |now| (0..1000).take_while(|_| spending.spend(budget, now)).count();
    assert_eq!(spend(secs(5)), 10, "the reserve of ten seconds");
    for _ in 0..100 {
        spending.asked(secs(6));
    }
    assert_eq!(spend(secs(6)), 20);
    assert_eq!(spend(secs(14)), 0);
    assert_eq!(spend(secs(15)), 10, "what was ten seconds ago counts no more");
    assert_eq!(spend(secs(26)), 10, "only the reserve is left");
    let nothing = Budget { percent: 0, min_retries_per_second: 0 };
    assert!(!spending.spend(nothing, secs(40)));
}

fn limiter(requests: u32, per: Duration, burst: u32) -> Arc<Limiter> {
    let limit = RateLimit { requests, per, burst, key: RateLimitKey::Service, headers: false };
    let requests = RequestRules { rate_limits: vec![limit], ..RequestRules::default() };
    let policy = TrafficPolicy { requests, ..TrafficPolicy::default() };
    regimes().limiters(&policy, &ObjectName::new("a", "s")).remove(0)
}

#[test]
fn a_burst_passes_at_once_and_the_rest_at_its_rate() {
    let limiter = limiter(10, secs(1), 5);
    let passed = |now| (0..100).take_while(|_| limiter.take(None, now).is_ok()).count();
    assert_eq!(passed(secs(1)), 5);
    let wait = Duration::from_millis(100);
    assert_eq!(limiter.take(None, secs(1)), Err(Refusal { burst: 5, wait }));
    assert_eq!(passed(secs(1) + wait), 1);
    assert_eq!(passed(secs(10)), 5, "what was not used is not saved up");
}

#[test]
fn what_passes_is_told_what_is_left() {
    let limiter = limiter(10, secs(1), 3);
    let left = |now| limiter.take(None, now).map(|left| (left.burst, left.remaining, left.reset));
    let tenths = |tenths: u64| Duration::from_millis(100 * tenths);
    assert_eq!(left(secs(1)), Ok((3, 2, tenths(1))));
    assert_eq!(left(secs(1)), Ok((3, 1, tenths(2))));
    assert_eq!(left(secs(1)), Ok((3, 0, tenths(3))));
    assert!(left(secs(1)).is_err());
    assert_eq!(left(secs(1) + Duration::from_millis(150)), Ok((3, 0, Duration::from_millis(250))));
    assert_eq!(left(secs(9)), Ok((3, 2, tenths(1))));
}

#[test]
fn every_key_has_a_bucket_until_there_are_too_many() {
    let limiter = limiter(1, secs(10), 1);
    assert!(limiter.take(Some("a"), secs(0)).is_ok());
    assert!(limiter.take(Some("a"), secs(0)).is_err());
    assert!(limiter.take(Some("b"), secs(0)).is_ok());
    for key in 2..BUCKETS_MAX {
        assert!(limiter.take(Some(&key.to_string()), secs(1)).is_ok());
    }
    assert!(limiter.take(Some("more"), secs(1)).is_ok(), "the bucket of all further keys");
    assert!(limiter.take(Some("and more"), secs(1)).is_err());
    assert!(limiter.take(Some("and more"), secs(12)).is_ok(), "full buckets make room");
}

#[test]
fn full_buckets_are_looked_for_once_a_second() {
    let limiter = limiter(10, secs(1), 1);
    let at = |millis| secs(10) + Duration::from_millis(millis);
    let passes = |key: &str, now| limiter.take(Some(key), now).is_ok();
    for key in 0..BUCKETS_MAX {
        assert!(passes(&key.to_string(), at(0)));
    }
    assert!(passes("one more", at(50)), "it is looked, and none is full");
    assert!(passes("a", at(200)) && !passes("b", at(200)), "both share a bucket");
    assert!(passes("a", at(1100)) && passes("b", at(1100)), "each has its own again");
}

#[test]
fn a_limit_that_stays_the_same_keeps_its_bucket() {
    let regimes = regimes();
    let limit = RateLimit {
        requests: 1,
        per: secs(10),
        burst: 1,
        key: RateLimitKey::Service,
        headers: false,
    };
    let service = ObjectName::new("a", "s");
    let mut policy = TrafficPolicy::default();
    policy.requests.rate_limits = vec![limit];
    let before = regimes.limiters(&policy, &service);
    policy.requests.rate_limits[0].burst = 1;
    assert!(Arc::ptr_eq(&before[0], &regimes.limiters(&policy, &service)[0]));
    policy.requests.rate_limits[0].burst = 2;
    assert!(!Arc::ptr_eq(&before[0], &regimes.limiters(&policy, &service)[0]));
}

#[test]
fn who_goes_by_an_older_view_changes_nothing_for_others() {
    let regimes = regimes();
    let service = ObjectName::new("a", "s");
    let of = |burst| {
        let limit = RateLimit {
            requests: 1,
            per: secs(10),
            burst,
            key: RateLimitKey::Service,
            headers: false,
        };
        let requests = RequestRules { rate_limits: vec![limit], ..RequestRules::default() };
        regimes.limiters(&TrafficPolicy { requests, ..TrafficPolicy::default() }, &service)
    };
    let (older, newer) = (of(1), of(2));
    assert!(Arc::ptr_eq(&older[0], &of(1)[0]));
    assert!(Arc::ptr_eq(&newer[0], &of(2)[0]));
    let other = OutlierDetection { interval: secs(1), ..rules() };
    let (newer, _) = regimes.health(&place(), rules(), addresses(1));
    let (_older, _) = regimes.health(&place(), other, addresses(1));
    assert!(Arc::ptr_eq(&newer, &regimes.health(&place(), rules(), addresses(1)).0));
}
