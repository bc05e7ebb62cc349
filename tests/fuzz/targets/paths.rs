//! Paths of requests and of policies. The input is a line with the pattern, then the path.
//!
//! A path's normal form is stable and absolute, and a policy that permits one pattern permits
//! exactly the paths that the pattern, read as a regular expression, matches.
#![no_main]

use std::{
    borrow::Cow,
    fmt::Write,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, LazyLock},
};

use libfuzzer_sys::fuzz_target;
use regex_automata::meta::Regex;
use waypoint_user::{
    mesh::{
        path::normalize,
        pattern::StringMatch,
        policy::{
            Action, AnyNone, AuthorizationPolicy, Operation, PathPattern, PolicyRule, PolicyTarget,
            TemplateSegment,
        },
        request::{Peer, RequestHead},
        service::Service,
        snapshot::{Contents, Settings, Snapshot},
    },
    policy::{Policies, Subject, Verdict},
    sync::{Served, objects_in, translate},
};

fuzz_target!(|text: &str| {
    let (pattern, path) = text.split_once('\n').unwrap_or(("", text));
    let normal = normalize(path);
    assert_eq!(normalize(&normal), normal);
    assert_eq!(normal.starts_with('/'), path.starts_with('/'));
    let dots = |path: &str| path.split('/').any(|segment| matches!(segment, "." | ".."));
    assert!(!normal.starts_with('/') || !dots(&normal));
    if let Ok(pattern) = PathPattern::parse(pattern)
        && let Ok(expression) = Regex::new(&expression(&pattern))
    {
        assert_eq!(permits(pattern, &normal), expression.is_match(normal.as_bytes()));
    }
});

/// The pattern, as an expression.
fn expression(pattern: &PathPattern) -> String {
    let literal = |text| regex_syntax::escape(text);
    let inner = match pattern {
        PathPattern::String(StringMatch::Exact(text)) => literal(text),
        PathPattern::String(StringMatch::Prefix(text)) => literal(text) + ".*",
        PathPattern::String(StringMatch::Suffix(text)) => format!(".*{}", literal(text)),
        PathPattern::String(StringMatch::Present) => ".+".to_owned(),
        PathPattern::Template(template) => {
            template.segments.iter().fold(String::new(), |mut all, segment| {
                let _ = match segment {
                    TemplateSegment::Literal(text) => write!(all, "/{}", literal(text)),
                    TemplateSegment::One => write!(all, "/[^/]+"),
                    TemplateSegment::Many => write!(all, "/.*"),
                };
                all
            })
        }
    };
    format!(r"(?s)\A(?:{inner})\z")
}

/// Whether a policy that permits the pattern alone permits the path.
fn permits(pattern: PathPattern, path: &str) -> bool {
    let paths = AnyNone { any: vec![pattern], none: Vec::new() };
    let operation = Operation { paths, ..Operation::default() };
    let policy = AuthorizationPolicy {
        rules: vec![PolicyRule { to: vec![operation], ..PolicyRule::default() }],
        ..POLICY.clone()
    };
    let snapshot = Snapshot::new(Contents {
        policies: [(policy.name.clone(), Arc::new(policy))].into(),
        waypoints: SCENE.0.waypoints().clone(),
        ..Contents::default()
    });
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 80));
    let subject = Subject {
        peer: &Peer { address, identity: None, client: None, workload: None },
        destination: address,
        head: Some(&Get(path)),
    };
    Policies::for_service(&snapshot, &SCENE.1).judge(&subject) == Verdict::Allow
}

/// A waypoint, and a Service bound to it.
static SCENE: LazyLock<(Snapshot, Arc<Service>)> = LazyLock::new(|| {
    let input = include_bytes!("../../data/policies/every-field/input.yaml");
    let (objects, report) = objects_in(&[("input.yaml", input)]);
    let (snapshot, _) = translate(&objects, &Settings::default(), Served::Here, report);
    let service = snapshot.services().values().next().map(Arc::clone);
    (snapshot, service.unwrap_or_else(|| unreachable!("the input has a Service")))
});

/// A policy of that Service, without rules.
static POLICY: LazyLock<AuthorizationPolicy> = LazyLock::new(|| AuthorizationPolicy {
    name: SCENE.1.name.clone(),
    action: Action::Allow,
    targets: vec![PolicyTarget::Service(SCENE.1.name.clone())],
    rules: Vec::new(),
    dry_run: false,
});

/// A request for a path.
struct Get<'a>(&'a str);

impl RequestHead for Get<'_> {
    fn method(&self) -> &str {
        "GET"
    }

    fn scheme(&self) -> &str {
        "http"
    }

    fn authority(&self) -> &str {
        "reviews"
    }

    fn path(&self) -> &str {
        self.0
    }

    fn query(&self) -> Option<&str> {
        None
    }

    fn header(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }
}
