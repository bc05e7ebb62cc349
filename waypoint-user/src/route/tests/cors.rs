//! What is said to requests of other origins.

use super::*;
use crate::mesh::route::{Cors, Names, OriginPattern};

fn cors(origin: &str) -> Cors {
    Cors {
        origins: vec![OriginPattern::parse(origin).unwrap()],
        credentials: false,
        methods: Names::These(vec!["GET".to_owned(), "PUT".to_owned()]),
        headers: Names::These(vec!["x-a".to_owned(), "x-b".to_owned()]),
        exposed: Names::These(vec!["x-c".to_owned()]),
        max_age: 5,
    }
}

fn with(filter: Cors, one: HttpMatch) -> Table {
    table_of(HttpRule { filters: vec![HttpFilter::Cors(filter)], ..rule(vec![one], "b") })
}

/// The fields of the answer to a preflight for PUT.
fn asked(allowed: Cors, origin: &str) -> Vec<(String, String)> {
    let table = with(allowed, HttpMatch::default());
    fields(choose(&table, &preflight(origin, "PUT")), true)
}

fn preflight(origin: &str, method: &str) -> Request {
    Request::new("OPTIONS", "http://s/")
        .header("origin", origin)
        .header("access-control-request-method", method)
        .header("access-control-request-headers", "x-z")
}

fn fields(choice: Choice<'_>, is_preflight: bool) -> Vec<(String, String)> {
    let edits = match choice {
        Choice::Preflight { edits, .. } if is_preflight => edits,
        Choice::Forward { edits, .. } if !is_preflight => edits,
        other => panic!("{other:?}"),
    };
    let both = edits.response.iter().flat_map(|edit| edit.set.iter().chain(&edit.add));
    let mut both: Vec<_> = both.cloned().collect();
    both.sort();
    both
}

fn expected(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    let named = |(name, value): &(&str, &str)| {
        let name = name
            .strip_prefix('>')
            .map_or_else(|| (*name).to_owned(), |name| format!("access-control-{name}"));
        (name, (*value).to_owned())
    };
    fields.iter().map(named).collect()
}

const PAGE: &str = "https://page.example.com";

#[test]
fn a_preflight_is_told_what_is_allowed() {
    let told = expected(&[
        (">allow-headers", "x-a, x-b"),
        (">allow-methods", "GET, PUT"),
        (">allow-origin", PAGE),
        (">max-age", "5"),
        ("vary", "Origin"),
    ]);
    assert_eq!(asked(cors(PAGE), PAGE), told);
    assert_eq!(asked(cors("https://*.example.com"), PAGE), told);
    assert_eq!(asked(cors("https://other.org"), PAGE), []);
}

#[test]
fn with_credentials_everything_is_what_was_asked_for() {
    let all = |credentials| Cors {
        credentials,
        methods: Names::All,
        headers: Names::All,
        exposed: Names::All,
        ..cors("*")
    };
    let told = expected(&[
        (">allow-headers", "*"),
        (">allow-methods", "*"),
        (">allow-origin", "*"),
        (">max-age", "5"),
    ]);
    assert_eq!(asked(all(false), PAGE), told);
    let told = expected(&[
        (">allow-credentials", "true"),
        (">allow-headers", "x-z"),
        (">allow-methods", "PUT"),
        (">allow-origin", PAGE),
        (">max-age", "5"),
        ("vary", "Origin"),
    ]);
    assert_eq!(asked(all(true), PAGE), told);
}

#[test]
fn an_answer_names_the_origin_that_may_read_it() {
    let table = with(cors(PAGE), HttpMatch::default());
    let told = |origin| fields(choose(&table, &url("/").header("origin", origin)), false);
    let allowed =
        expected(&[(">allow-origin", PAGE), (">expose-headers", "x-c"), ("vary", "Origin")]);
    assert_eq!(told(PAGE), allowed);
    assert_eq!(told("https://other.org"), []);
    assert_eq!(fields(choose(&table, &url("/")), false), []);
}

#[test]
fn a_preflight_is_answered_by_the_rule_that_would_get_the_request() {
    let one = HttpMatch { method: Some("PUT".to_owned()), ..prefix("/") };
    let table = with(cors(PAGE), one);
    assert!(matches!(choose(&table, &preflight(PAGE, "PUT")), Choice::Preflight { .. }));
    assert_eq!(choose(&table, &preflight(PAGE, "GET")), Choice::NoMatch);
    assert_eq!(choose(&table, &Request::new("OPTIONS", "http://s/")), Choice::NoMatch);
}

#[test]
fn an_ordinary_options_goes_to_the_backend() {
    let table = with(cors(PAGE), HttpMatch::default());
    assert_eq!(destination(&table, &Request::new("OPTIONS", "http://s/")), Some("b"));
}
