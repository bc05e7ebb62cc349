//! A request through the routes of a Service. The input is `METHOD target authority` in a line,
//! then header fields, one a line.
//!
//! Whatever a client may send, it is chosen the same way twice, and what leaves is well-formed.
#![no_main]

use std::{borrow::Cow, sync::LazyLock};

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Uri,
    uri::{Authority, PathAndQuery},
};
use libfuzzer_sys::fuzz_target;
use waypoint_user::{
    mesh::{path::normalize, request::RequestHead, snapshot::Settings},
    route::{Choice, Edits, Table},
    sync::{Served, objects_in, translate},
};

fuzz_target!(|text: &str| {
    let Some(head) = Head::parse(text) else { return };
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
