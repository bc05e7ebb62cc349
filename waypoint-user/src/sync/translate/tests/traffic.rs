//! TrafficPolicies: what they are attached to, which counts, and what their conditions say.

use std::time::Duration;

use super::*;
use crate::mesh::{
    condition::Condition,
    object::ObjectRef,
    route::RouteKind,
    traffic_policy::{Addressed, Algorithm, HashKey, RetryOn},
};

/// A policy with an age in seconds.
fn policy(name: &str, age: u32, targets: &str, rest: &str) -> String {
    let created = format!(", creationTimestamp: \"2026-01-01T00:00:{age:02}Z\"");
    let spec = format!("spec: {{targetRefs: [{targets}]{rest}}}");
    object("TrafficPolicy", &format!("a/{name}"), &created, &spec)
}

fn route() -> String {
    let spec = "spec: {parentRefs: [{group: '', kind: Service, name: s}], \
                rules: [{name: first, backendRefs: [{name: s, port: 80}]}]}";
    object("HTTPRoute", "a/r", "", spec)
}

/// A TCPRoute.
fn tcp_route() -> String {
    let spec = "spec: {parentRefs: [{group: '', kind: Service, name: db}], \
                rules: [{name: all, backendRefs: [{name: s, port: 80}]}]}";
    object("TCPRoute", "a/t", "", spec)
}

/// What there is to attach to: Service `a/s` behind waypoint `a/w`, with a route, and `a/db` with
/// one of connections.
fn around(policies: &[String]) -> (Snapshot, Report) {
    let (gateway, service) = (gateway("a/w", ""), service("a/s", "10.0.0.1", USE));
    let ports = "spec: {clusterIPs: [10.0.0.2], ports: [{name: tcp, port: 5432}]}";
    let db = object("Service", "a/db", USE, ports);
    let (route, tcp_route) = (route(), tcp_route());
    let known = [gateway.as_str(), &service, &db, &route, &tcp_route];
    let documents: Vec<&str> =
        known.into_iter().chain(policies.iter().map(String::as_str)).collect();
    mesh(&documents)
}

/// The policy that counts for Service `a/s`, and for requests that its route's rule took.
fn counting(snapshot: &Snapshot) -> (Option<String>, Option<String>) {
    let (service, waypoint) = (ObjectName::new("a", "s"), ObjectName::new("a", "w"));
    let route = ObjectName::new("a", "r");
    let at = Addressed { service: &service, port: 80, waypoint: Some(&waypoint) };
    let rule = Some((RouteKind::Http, &route, Some("first")));
    let name = |policy: &Arc<crate::mesh::traffic_policy::TrafficPolicy>| policy.name.name.clone();
    let of_endpoints = snapshot.policy_of_endpoints(&at).map(name);
    (of_endpoints, snapshot.policy_of_requests(&at, rule).map(name))
}

/// The conditions of a policy, as `target status reason`.
fn conditions(report: &Report, name: &str) -> Vec<String> {
    let object = ObjectRef::new("TrafficPolicy", ObjectName::new("a", name));
    let text = |one: &Condition| {
        let about = one.about.as_ref().unwrap();
        let kind = about.kind.as_deref().unwrap();
        format!("{kind}/{} {} {}", about.name, one.status.as_str(), one.reason)
    };
    report.conditions_of(&object).iter().map(text).collect()
}

const TO_S: &str = "{group: '', kind: Service, name: s}";
const TO_PORT: &str = "{group: '', kind: Service, name: s, sectionName: '80'}";
const TO_W: &str = "{group: gateway.networking.k8s.io, kind: Gateway, name: w}";
const TO_R: &str = "{group: gateway.networking.k8s.io, kind: HTTPRoute, name: r}";
const TO_T: &str = "{group: gateway.networking.k8s.io, kind: TCPRoute, name: t, sectionName: all}";
const TO_RULE: &str =
    "{group: gateway.networking.k8s.io, kind: HTTPRoute, name: r, sectionName: first}";

#[test]
fn the_most_specific_policy_counts() {
    let cases = [
        (vec![TO_W], "p0", "p0"),
        (vec![TO_W, TO_S], "p1", "p1"),
        (vec![TO_W, TO_S, TO_PORT], "p2", "p2"),
        (vec![TO_PORT, TO_S, TO_W], "p0", "p0"),
        (vec![TO_S, TO_R], "p0", "p1"),
        (vec![TO_RULE, TO_R, TO_S], "p2", "p0"),
    ];
    for (targets, of_endpoints, of_requests) in cases {
        let policies = targets.iter().enumerate();
        let policies: Vec<String> =
            policies.map(|(at, target)| policy(&format!("p{at}"), 1, target, "")).collect();
        let (snapshot, _) = around(&policies);
        let wanted = (Some(of_endpoints.to_owned()), Some(of_requests.to_owned()));
        assert_eq!(counting(&snapshot), wanted, "{targets:?}");
    }
}

#[test]
fn of_two_policies_of_one_target_the_older_counts_and_the_other_is_told() {
    let (snapshot, report) = around(&[
        policy("younger", 2, &format!("{TO_S}, {TO_W}"), ""),
        policy("z-older", 1, TO_S, ""),
    ]);
    assert_eq!(counting(&snapshot).0.as_deref(), Some("z-older"));
    assert_eq!(conditions(&report, "z-older"), ["Service/s True Accepted"]);
    let younger = ["Service/s False Conflicted", "Gateway/w True Accepted"];
    assert_eq!(conditions(&report, "younger"), younger);
}

#[test]
fn of_two_of_the_same_age_the_first_by_name_counts() {
    let (snapshot, _) = around(&[policy("b", 1, TO_S, ""), policy("a", 1, TO_S, "")]);
    assert_eq!(counting(&snapshot).0.as_deref(), Some("a"));
}

#[test]
fn what_is_not_there_and_what_has_no_endpoints_is_told() {
    let cases = [
        ("{group: '', kind: Service, name: t}", "", "Service/t False TargetNotFound"),
        (
            "{group: '', kind: Service, name: s, sectionName: x}",
            "",
            "Service/s False TargetNotFound",
        ),
        ("{group: '', kind: Pod, name: s}", "", "Pod/s False Invalid"),
        (TO_R, ", circuitBreaker: {maxRequests: 1}", "HTTPRoute/r False Invalid"),
        (TO_R, ", timeouts: {connect: 1s}", "HTTPRoute/r False Invalid"),
        (TO_R, ", timeouts: {request: 1s}", "HTTPRoute/r True Accepted"),
        (TO_T, ", timeouts: {streamIdle: 1s, maxStreamDuration: 1h}", "TCPRoute/t True Accepted"),
        (TO_T, ", outlierDetection: {}", "TCPRoute/t False Invalid"),
        (TO_T, ", timeouts: {streamIdle: 1s, request: 1s}", "TCPRoute/t False Invalid"),
        (TO_T, ", rateLimits: [{requests: 1, per: 1s}]", "TCPRoute/t False Invalid"),
        (TO_T, ", retry: {}", "TCPRoute/t False Invalid"),
    ];
    for (target, rest, condition) in cases {
        let (_, report) = around(&[policy("p", 1, target, rest)]);
        assert_eq!(conditions(&report, "p"), [condition], "{target}");
    }
}

#[test]
fn what_a_policy_says_is_in_the_snapshot() {
    let rest = ", loadBalancing: {algorithm: RingHash, hashOn: [{type: Header, name: X-User}]}, \
                timeouts: {request: 1m30s, streamIdle: 0s, connect: 250ms}, \
                retry: {retryOn: [5xx, unavailable], attempts: 3, backoff: {base: 10ms}}";
    let (snapshot, _) = around(&[policy("p", 1, TO_S, rest)]);
    let policy = &snapshot.traffic_policies()[&ObjectName::new("a", "p")];
    let keys = vec![HashKey::Header("x-user".to_owned())];
    assert_eq!(policy.endpoints.load_balancing.algorithm, Algorithm::RingHash(keys));
    assert_eq!(policy.endpoints.connect_timeout, Some(Duration::from_millis(250)));
    assert_eq!(policy.requests.timeouts.request, Some(Duration::from_secs(90)));
    assert_eq!(policy.requests.timeouts.stream_idle, None);
    let retry = policy.requests.retry.as_ref().unwrap();
    assert_eq!((retry.attempts, retry.backoff.max), (3, Duration::from_millis(100)));
}

#[test]
fn a_policy_that_is_not_understood_is_refused_and_no_other() {
    let wrong = [
        ", retry: {attempt: 3}",
        ", retry: {retryOn: [retriable-status-codes]}",
        ", timeouts: {request: 5}",
        ", loadBalancing: {algorithm: RingHash}",
        ", loadBalancing: {panicThreshold: 101}",
        ", rateLimits: [{requests: 1, per: 0s}]",
        ", rateLimits: [{requests: 1, per: 1s, key: {type: Header}}]",
        ", fault: {abort: {percentage: 1}}",
        ", fault: {delay: {fixed: 1s, percentage: 101}}",
    ];
    for rest in wrong {
        let (snapshot, report) = around(&[policy("p", 1, TO_S, rest), policy("q", 1, TO_W, "")]);
        let object = ObjectRef::new("TrafficPolicy", ObjectName::new("a", "p"));
        let worst = report.of(&object).map(|finding| finding.severity).max();
        assert_eq!(worst, Some(Severity::Error), "{rest}");
        assert_eq!(counting(&snapshot).0.as_deref(), Some("q"), "{rest}");
        assert_eq!(conditions(&report, "p"), ["Service/s False Invalid"], "{rest}");
    }
}

/// What policy `p` says, if it is this.
fn said(rest: &str) -> Arc<crate::mesh::traffic_policy::TrafficPolicy> {
    let (snapshot, _) = around(&[policy("p", 1, TO_S, rest)]);
    Arc::clone(&snapshot.traffic_policies()[&ObjectName::new("a", "p")])
}

#[test]
fn a_time_of_zero_is_said_where_a_route_might_say_another() {
    let rest = ", timeouts: {request: 0s, maxStreamDuration: 0s}, retry: {perTryTimeout: 0s}";
    let requests = &said(rest).requests;
    let per_try = requests.retry.as_ref().unwrap().per_try_timeout;
    assert_eq!((requests.timeouts.request, per_try), (Some(Duration::ZERO), Some(Duration::ZERO)));
    assert_eq!(requests.timeouts.max_stream_duration, None);
}

#[test]
fn a_retry_has_the_default_conditions_only_where_it_names_none() {
    use RetryOn::{ConnectFailure, Grpc, RefusedStream, Reset};
    let on = |rest: &str| said(&format!(", retry: {rest}")).requests.retry.clone().unwrap().on;
    let default = [ConnectFailure, RefusedStream, Grpc(14), Grpc(1)];
    assert_eq!(on("{}"), default);
    assert_eq!(on("{codes: [429]}"), default);
    assert_eq!(on("{retryOn: [reset], codes: [429]}"), [Reset]);
    assert_eq!(on("{retryOn: [retriable-status-codes], codes: [429]}"), []);
}

/// So many times the same.
fn times(count: usize, item: &str) -> String {
    vec![item; count].join(", ")
}

#[test]
fn what_a_schema_would_refuse_is_refused_without_an_api_server_too() {
    let long = "x".repeat(257);
    let wrong = [
        ", retry: {attempts: 17}".to_owned(),
        format!(", retry: {{retryOn: [{}]}}", times(17, "reset")),
        format!(", retry: {{codes: [{}]}}", times(33, "500")),
        ", hedging: {delay: 1s, maxRequests: 6}".to_owned(),
        ", circuitBreaker: {maxConnections: 0}".to_owned(),
        ", circuitBreaker: {maxRequests: 0}".to_owned(),
        ", outlierDetection: {successRate: {minimumHosts: 0}}".to_owned(),
        ", outlierDetection: {successRate: {requestVolume: 0}}".to_owned(),
        ", loadBalancing: {slowStart: {window: 1s, aggression: 0.001}}".to_owned(),
        format!(", rateLimits: [{}]", times(9, "{requests: 1, per: 1s}")),
        format!(
            ", loadBalancing: {{algorithm: Maglev, hashOn: [{}]}}",
            times(9, "{type: SourceAddress}")
        ),
        format!(", loadBalancing: {{algorithm: Maglev, hashOn: [{{type: Cookie, name: {long}}}]}}"),
        ", loadBalancing: {algorithm: Maglev, hashOn: [{type: Header, name: 'a b'}]}".to_owned(),
        ", rateLimits: [{requests: 1, per: 1s, key: {type: Header, name: 'a:'}}]".to_owned(),
    ];
    for rest in wrong {
        let (snapshot, report) = around(&[policy("p", 1, TO_S, &rest)]);
        assert_eq!(counting(&snapshot).0, None, "{rest}");
        assert_eq!(reasons(&report, "p"), ["Invalid"], "{rest}");
    }
    let (snapshot, _) = around(&[policy("p", 1, &times(17, TO_S), "")]);
    assert_eq!(counting(&snapshot).0, None);
}

#[test]
fn every_example_of_the_document_is_understood() {
    let text = include_str!("../../../../../docs/traffic-policy.md");
    let examples: Vec<&str> = text.split("```yaml\n").skip(1).collect();
    let examples = examples.iter().map(|rest| rest.split("```").next().unwrap());
    // The first is a whole policy, the others are fields of one.
    for example in examples.skip(1) {
        let lines = example.lines().map(|line| format!("  {line}\n"));
        let spec = format!("spec:\n  targetRefs: [{TO_S}]\n{}", lines.collect::<String>());
        let policy = object("TrafficPolicy", "a/p", "", &spec);
        let (_, report) = around(&[policy]);
        assert_eq!(conditions(&report, "p"), ["Service/s True Accepted"], "{example}");
    }
}
