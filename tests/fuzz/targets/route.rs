//! A request through the routes of a Service. The input is `METHOD target authority` in a line,
//! then header fields, one a line; behind an empty line come rules, as [`rule`] reads them.
//!
//! Whatever a client may send, it is chosen the same way twice, and what leaves is well-formed. Of
//! the rules that one decides which the specification says.
#![no_main]

use std::{borrow::Cow, cmp::Reverse, sync::LazyLock};

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Uri,
    uri::{Authority, PathAndQuery},
};
use libfuzzer_sys::fuzz_target;
use waypoint_user::{
    mesh::{
        object::{ObjectName, Version},
        path::normalize,
        pattern::Regex,
        request::RequestHead,
        route::{
            BackendTarget, HttpBackend, HttpMatch, HttpRoute, HttpRule, PathMatch, RouteKind,
            ServiceParent, ValueMatch, ValuePattern,
        },
        snapshot::Settings,
    },
    route::{Choice, Edits, Table},
    sync::{Served, objects_in, translate},
};

fuzz_target!(|text: &str| {
    let (text, rules) = text.split_once("\n\n").unwrap_or((text, ""));
    let Some(head) = Head::parse(text) else { return };
    let rules: Vec<HttpRule> = rules.lines().take(RULES_MAX).filter_map(rule).collect();
    if !rules.is_empty() {
        let expected = expected(&rules, &head);
        assert_eq!(decided(rules, &head), expected);
    }
    for table in TABLES.iter() {
        for draw in [0, text.len()] {
            let mut dice = |bound: u32| draw as u32 % bound;
            let rules = table.rules(None).expect("rules for everybody");
            let choice = rules.choose(&head, &mut dice);
            check(&choice);
            assert_eq!(choice, rules.choose(&head, &mut dice));
        }
    }
});

/// Complains about a choice that could not be acted on.
fn check(choice: &Choice<'_>) {
    match choice {
        Choice::NoMatch => {}
        Choice::Unroutable { reason, .. } => assert!(!reason.is_empty()),
        Choice::Redirect { status, location, edits, .. } => {
            assert!((300..400).contains(status));
            assert!(location.parse::<Uri>().is_ok(), "Location {location:?}");
            check_edits(edits);
        }
        Choice::Preflight { edits, .. } => check_edits(edits),
        Choice::Forward { service, port, edits, .. } => {
            assert!(*port != 0 && !service.name.is_empty());
            check_edits(edits);
        }
    }
}

fn check_edits(edits: &Edits<'_>) {
    if let Some(path) = &edits.path_and_query {
        assert!(path.starts_with('/') && path.parse::<PathAndQuery>().is_ok(), "path {path:?}");
    }
    if let Some(authority) = edits.authority {
        assert!(authority.parse::<Authority>().is_ok(), "authority {authority:?}");
    }
}

/// A rule in words: `=`, `^` or `~` with an exact path, a prefix or an expression, then conditions:
/// `name=value` of a header field, `?name=value` of a query, anything else a method.
fn rule(line: &str) -> Option<HttpRule> {
    let mut words = line.split(' ');
    let (kind, path) = words.next()?.split_at_checked(1)?;
    let is_path = path.starts_with('/');
    let path = match kind {
        "=" if is_path => PathMatch::Exact(path.to_owned()),
        "^" if is_path => PathMatch::Prefix(path.to_owned()),
        "~" if path.len() <= REGEX_BYTES_MAX => PathMatch::Regex(Regex::new(path).ok()?),
        _ => return None,
    };
    let mut one = HttpMatch { path, ..HttpMatch::default() };
    for word in words {
        let Some((name, value)) = word.split_once('=') else {
            one.method = Some(word.to_owned());
            continue;
        };
        let (conditions, name) = match name.strip_prefix('?') {
            Some(name) => (&mut one.query, name.to_owned()),
            None => (&mut one.headers, name.parse::<HeaderName>().ok()?.to_string()),
        };
        conditions.push(ValueMatch { name, value: ValuePattern::Exact(value.to_owned()) });
    }
    let target = BackendTarget::Service(ObjectName::new("shop", "reviews"), 80);
    let backend = HttpBackend { weight: 1, target, filters: Vec::new() };
    Some(HttpRule { matches: vec![one], backends: vec![backend], ..HttpRule::default() })
}

/// Which rule decides, by the table.
fn decided(rules: Vec<HttpRule>, head: &Head) -> Option<usize> {
    let service = ObjectName::new("shop", "reviews");
    let route = HttpRoute {
        kind: RouteKind::Http,
        name: ObjectName::new("shop", "fuzzed"),
        version: Version::default(),
        created: None,
        parents: vec![ServiceParent::new(service.clone(), None)],
        rules,
    };
    let table = Table::compile(&[route.into()], &service, 80).expect("a table");
    match table.rules(None).expect("rules for everybody").choose(head, &mut |_| 0) {
        Choice::Forward { rule, .. } => Some(rule.index),
        _ => None,
    }
}

/// Which rule decides, by looking at each of them.
fn expected(rules: &[HttpRule], head: &Head) -> Option<usize> {
    let holds = |(index, rule): (usize, &HttpRule)| {
        let one = rule.matches.first().filter(|one| holds(one, head))?;
        let path = match &one.path {
            PathMatch::Exact(_) => (0, Reverse(0)),
            PathMatch::Prefix(prefix) => (1, Reverse(prefix.trim_end_matches('/').len())),
            PathMatch::Regex(regex) => (2, Reverse(regex.as_str().len())),
        };
        let count = |conditions| Reverse(in_force(conditions).count());
        Some((path, one.method.is_none(), count(&one.headers), count(&one.query), index))
    };
    let best = rules.iter().enumerate().filter_map(holds).min()?;
    Some(best.4)
}

fn holds(one: &HttpMatch, head: &Head) -> bool {
    // A CONNECT has no path, and goes only where a match asks for it.
    let connects = head.method == Method::CONNECT;
    if connects && one.method.is_none() {
        return false;
    }
    let path = match &one.path {
        path if connects => *path == PathMatch::default(),
        PathMatch::Exact(path) => head.path == *path,
        PathMatch::Prefix(prefix) => {
            let prefix = prefix.trim_end_matches('/');
            let rest = head.path.strip_prefix(prefix);
            rest.is_some_and(|rest| prefix.is_empty() || rest.is_empty() || rest.starts_with('/'))
        }
        PathMatch::Regex(regex) => regex.matches(&head.path),
    };
    let is = |wanted: &ValuePattern, value: &str| match wanted {
        ValuePattern::Exact(exact) => exact == value,
        ValuePattern::Regex(regex) => regex.matches(value),
    };
    let header = in_force(&one.headers).all(|wanted| {
        RequestHead::header(head, &wanted.name).is_some_and(|value| is(&wanted.value, &value))
    });
    let query = in_force(&one.query).all(|wanted| {
        let pairs = head.target.query().unwrap_or_default().split('&');
        let mut pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let value = pairs.find(|(name, _)| plain(name) == wanted.name);
        value.is_some_and(|(_, value)| is(&wanted.value, &plain(value)))
    });
    path && header && query && one.method.iter().all(|method| method == head.method.as_str())
}

/// A part of a query with its escapes written plainly.
fn plain(text: &str) -> String {
    let (mut plain, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.filter(|_| *first == b'%').and_then(|two| str::from_utf8(two).ok());
        let octet = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        plain.push(octet.unwrap_or(*first));
        rest = if octet.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// Conditions whose name no condition before has.
fn in_force(conditions: &[ValueMatch]) -> impl Iterator<Item = &ValueMatch> {
    conditions.iter().enumerate().filter_map(|(index, condition)| {
        let before = &conditions[..index];
        before.iter().all(|known| known.name != condition.name).then_some(condition)
    })
}

/// Rules of one input, and the longest expression.
const RULES_MAX: usize = 16;
const REGEX_BYTES_MAX: usize = 64;

/// Every port of every Service in a manifest with all that a route may say.
static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| {
    let input = include_bytes!("../../data/routes/every-field/input.yaml");
    let (objects, report) = objects_in(&[("input.yaml", input)]);
    let (snapshot, _) = translate(&objects, &Settings::default(), Served::Here, report);
    let compile = |name, port| Table::compile(snapshot.routes_of(name), name, port);
    let services = snapshot.services().iter();
    let tables = services.flat_map(|(name, service)| {
        service.ports.iter().filter_map(move |port| compile(name, port.number))
    });
    let tables: Vec<_> = tables.collect();
    assert!(!tables.is_empty());
    tables
});

/// A head that an HTTP server would pass on.
struct Head {
    method: Method,
    target: PathAndQuery,
    path: String,
    authority: Authority,
    headers: HeaderMap,
}

impl Head {
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let mut parts = lines.next()?.splitn(3, ' ');
        let method = parts.next()?.parse().ok()?;
        let target: PathAndQuery = parts.next()?.parse().ok()?;
        let authority = parts.next()?.parse().ok()?;
        let fields = lines.map(|line| {
            let (name, value) = line.split_once(": ")?;
            Some((name.parse::<HeaderName>().ok()?, value.parse::<HeaderValue>().ok()?))
        });
        let headers = fields.collect::<Option<HeaderMap>>()?;
        let path = normalize(target.path()).into_owned();
        Some(Self { method, target, path, authority, headers })
    }
}

impl RequestHead for Head {
    fn method(&self) -> &str {
        self.method.as_str()
    }

    fn scheme(&self) -> &str {
        "http"
    }

    fn authority(&self) -> &str {
        self.authority.as_str()
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn query(&self) -> Option<&str> {
        self.target.query()
    }

    fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        self.headers.get(name)?.to_str().ok().map(Cow::Borrowed)
    }
}
