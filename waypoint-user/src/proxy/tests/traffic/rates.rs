//! Rate limits, and what is told of them.

use super::*;
use crate::{
    mesh::{
        object::Version,
        route::{
            BackendTarget, HttpBackend, HttpMatch, HttpRoute, HttpRule, PathMatch, RouteKind,
            ServiceParent,
        },
    },
    proxy::tests::{
        lab::add_route,
        peers::{Client, Mesh, run},
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn requests_beyond_a_rate_are_refused_and_told_when_to_come() {
    let backends = named(["a"]).await;
    let lab = lab(&backends, |policy| {
        let key = RateLimitKey::Header("x-user".to_owned());
        let limit =
            RateLimit { requests: 2, per: Duration::from_mins(10), burst: 2, key, headers: false };
        policy.requests.rate_limits = vec![limit];
    });
    let of = |user: &str| GET.replace("connection", &format!("x-user: {user}\r\nconnection"));
    for _ in 0..2 {
        assert_eq!(who(&lab.ask(&of("ann")).await), "a");
    }
    let refused = lab.ask(&of("ann")).await;
    assert!(refused.starts_with("HTTP/1.1 429 "), "{refused}");
    assert!(refused.ends_with("\r\n\r\nlocal_rate_limited"), "{refused}");
    for field in ["x-ratelimit-limit: 2", "x-ratelimit-remaining: 0", "x-ratelimit-reset: 300"] {
        assert!(refused.contains(&format!("\r\n{field}\r\n")), "{refused}");
    }
    let line = lab.line(3).await;
    assert_eq!((&line["response_flags"], &line["blame"]), (&"RL".into(), &"client".into()));
    assert_eq!(who(&lab.ask(&of("bob")).await), "a");
    assert_eq!(who(&lab.ask(GET).await), "a");
    // What is no text is a value all the same.
    let answers = [lab.ask(&of("\u{e9}")).await, lab.ask(&of("\u{e9}")).await];
    assert_eq!(answers.map(|answer| who(&answer).to_owned()), ["a", "a"]);
    assert!(lab.ask(&of("\u{e9}")).await.starts_with("HTTP/1.1 429 "));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_say_what_is_left_of_a_limit_where_the_policy_says_so() {
    let backends = named(["a"]).await;
    let lab = lab(&backends, |policy| {
        let limit = |requests, headers| {
            let (key, per) = (RateLimitKey::Service, Duration::from_mins(10));
            RateLimit { requests, per, burst: requests, key, headers }
        };
        // The least is left of the first, which is not told of.
        policy.requests.rate_limits = vec![limit(5, false), limit(100, true), limit(10, true)];
    });
    for left in ["9", "8"] {
        let answer = lab.ask(GET).await;
        assert_eq!(who(&answer), "a");
        for field in ["limit: 10", &format!("remaining: {left}")] {
            assert!(answer.contains(&format!("\r\nx-ratelimit-{field}\r\n")), "{answer}");
        }
        assert_eq!(answer.matches("x-ratelimit-").count(), 3, "{answer}");
    }
}

fn limit(requests: u32, key: RateLimitKey) -> RateLimit {
    RateLimit { requests, per: Duration::from_mins(10), burst: requests, key, headers: false }
}

/// A route of the name whose rules take a path each, named as it is, to the Service itself.
fn route(of: &str, port: u16, paths: &[&str]) -> HttpRoute {
    let rule = |path: &&str| {
        let target = BackendTarget::Service(ObjectName::new("default", "shop"), port);
        let matched = HttpMatch { path: PathMatch::Exact((*path).into()), ..HttpMatch::default() };
        HttpRule {
            name: Some((*path).to_owned()),
            matches: vec![matched],
            backends: vec![HttpBackend { weight: 1, target, filters: Vec::new() }],
            ..HttpRule::default()
        }
    };
    HttpRoute {
        kind: RouteKind::Http,
        name: ObjectName::new("default", of),
        version: Version::default(),
        created: None,
        parents: vec![ServiceParent::new(ObjectName::new("default", "shop"), None)],
        hostnames: Vec::new(),
        rules: paths.iter().map(rule).collect(),
    }
}

/// The statuses of requests for paths.
async fn statuses(lab: &Lab, paths: &[&str]) -> Vec<String> {
    let mut statuses = Vec::new();
    for path in paths {
        let answer = lab.ask(&GET.replace("GET / ", &format!("GET {path} "))).await;
        statuses.push(answer.split(' ').nth(1).unwrap_or_default().to_owned());
    }
    statuses
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_a_route_or_of_a_rule_holds_for_its_requests_only() {
    let of_route = || ObjectName::new("default", "limited");
    for (target, asked, wanted) in [
        (
            TrafficTarget::Route(RouteKind::Http, of_route()),
            ["/a", "/b", "/a", "/b", "/c", "/c", "/c"],
            ["200", "200", "429", "429", "200", "200", "200"],
        ),
        (
            TrafficTarget::Rule(RouteKind::Http, of_route(), "/a".to_owned()),
            ["/a", "/a", "/a", "/b", "/b", "/b", "/c"],
            ["200", "200", "429", "200", "200", "200", "200"],
        ),
    ] {
        let (backends, seen) = (named(["a"]).await, format!("{target:?}"));
        let change = |contents: &mut Contents, port| {
            add_route(contents, route("limited", port, &["/a", "/b"]));
            add_route(contents, route("free", port, &["/c"]));
            govern(contents, |policy| {
                policy.targets = vec![target];
                policy.requests.rate_limits = vec![limit(2, RateLimitKey::Service)];
            });
        };
        let lab = Lab::start_with(&backends, AppProtocol::Http, |_| {}, change);
        assert_eq!(statuses(&lab, &asked).await, wanted, "{seen}");
    }
}

#[test]
fn each_identity_has_a_bucket_of_its_own_wherever_it_comes_from() {
    run(async {
        let (mesh, backend) = (Mesh::new(), Backend::bind().await);
        let site = mesh.waypoint(&[backend.address()], AppProtocol::Http, |contents| {
            govern(contents, |policy| {
                policy.requests.rate_limits = vec![limit(2, RateLimitKey::Principal)];
            });
        });
        backend.echo("one");
        let client = |name| Client::new(&mesh, name, site.door, "waypoint");
        for name in ["web", "admin"] {
            // Every time on a connection of its own.
            for _ in 0..2 {
                assert_eq!(who(&client(name).ask(GET).await), "one", "{name}");
            }
            for _ in 0..2 {
                let refused = client(name).ask(GET).await;
                assert!(refused.starts_with("HTTP/1.1 429 "), "{name}: {refused}");
            }
        }
    });
}
