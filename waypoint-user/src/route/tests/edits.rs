//! What redirects, rewrites and header modifiers do.

use std::borrow::Cow;

use super::*;
use crate::mesh::route::{PathEdit, Redirect, Rewrite};

const UNTOUCHED: Redirect =
    Redirect { scheme: None, hostname: None, path: None, port: None, status: 302 };

fn with_filter(one: HttpMatch, filter: HttpFilter) -> Table {
    table_of(HttpRule { filters: vec![filter], ..rule(vec![one], "b") })
}

/// The `Location` of a redirect on prefix `/foo`, on a port of the Service.
fn location_on(port: u16, redirect: Redirect, request: &Request) -> String {
    let rule = HttpRule {
        filters: vec![HttpFilter::Redirect(redirect)],
        backends: vec![],
        ..rule(vec![prefix("/foo")], "")
    };
    let table = compile([route("r", vec![rule])], port).unwrap();
    match choose(&table, request) {
        Choice::Redirect { location, status: 302, .. } => location,
        other => panic!("{other:?}"),
    }
}

fn location(redirect: Redirect, request: &Request) -> String {
    location_on(80, redirect, request)
}

/// The path and query that a rewrite of the path makes of a request.
fn rewritten(one: HttpMatch, edit: PathEdit, request: &Request) -> Option<String> {
    let rewrite = Rewrite { hostname: None, path: Some(edit) };
    match choose(&with_filter(one, HttpFilter::Rewrite(rewrite)), request) {
        Choice::Forward { edits, .. } => edits.path_and_query,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_replaced_prefix_is_joined_by_one_slash() {
    // The table of the Gateway API's HTTPPathModifier, and its neighbours.
    let cases = [
        ("/foo/bar", "/foo", "/xyz", "/xyz/bar"),
        ("/foo/bar", "/foo", "/xyz/", "/xyz/bar"),
        ("/foo/bar", "/foo/", "/xyz", "/xyz/bar"),
        ("/foo/bar", "/foo/", "/xyz/", "/xyz/bar"),
        ("/foo", "/foo", "/xyz", "/xyz"),
        ("/foo/", "/foo", "/xyz", "/xyz/"),
        ("/foo/bar", "/foo", "", "/bar"),
        ("/foo/", "/foo", "", "/"),
        ("/foo", "/foo", "", "/"),
        ("/foo/", "/foo", "/", "/"),
        ("/foo", "/foo", "/", "/"),
        ("/foo/bar", "/foo", "/", "/bar"),
        ("/foo//bar", "/foo", "/", "//bar"),
        ("/bar", "/", "/xyz", "/xyz/bar"),
        ("/", "/", "/xyz", "/xyz/"),
        ("/a/b/c", "/a/b", "/x", "/x/c"),
        ("/é/b", "/é", "/x", "/x/b"),
        ("/foo/bar", "/foo", "xyz", "/xyz/bar"),
    ];
    for (path, matched, replacement, expected) in cases {
        let edit = PathEdit::Prefix(replacement.into());
        let path_and_query = rewritten(prefix(matched), edit, &url("/").path(path));
        assert_eq!(path_and_query.as_deref(), Some(expected), "{path}, {matched}, {replacement}");
    }
}

#[test]
fn a_prefix_can_only_be_replaced_where_one_was_matched() {
    let edit = || PathEdit::Prefix("/x".into());
    assert_eq!(rewritten(exact("/foo"), edit(), &url("/foo")), None);
    assert_eq!(rewritten(expression("/f.*"), edit(), &url("/foo")), None);
    assert_eq!(rewritten(prefix("/"), edit(), &url("/").path("*")), None);
}

#[test]
fn a_rewritten_path_keeps_the_query() {
    let full = |path: &str| PathEdit::Full(path.into());
    let rewrite = |edit| rewritten(prefix("/foo"), edit, &url("/foo/a?b=c")).unwrap();
    assert_eq!(rewrite(full("/x")), "/x?b=c");
    assert_eq!(rewrite(full("/x?y=z")), "/x?y=z");
    assert_eq!(rewrite(full("")), "/?b=c");
    assert_eq!(rewrite(PathEdit::Prefix("/x".into())), "/x/a?b=c");
}

#[test]
fn a_rewritten_hostname_is_the_new_authority() {
    let rewrite = Rewrite { hostname: Some("new.example".into()), path: None };
    match choose(&with_filter(prefix("/"), HttpFilter::Rewrite(rewrite)), &url("/")) {
        Choice::Forward { edits, .. } => {
            assert_eq!(edits.authority, Some("new.example"));
            assert_eq!(edits.path_and_query, None);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_redirect_keeps_what_it_does_not_change() {
    let request = Request::get("http://s.example:1234/foo?a=b");
    assert_eq!(location(UNTOUCHED, &request), "http://s.example/foo?a=b");
    let elsewhere = Redirect { hostname: Some("t.example".into()), ..UNTOUCHED };
    assert_eq!(location(elsewhere, &request), "http://t.example/foo?a=b");
    let ipv6 = Request::get("http://[fd00::1]/foo");
    assert_eq!(location(UNTOUCHED, &ipv6), "http://[fd00::1]/foo");
    let ipv6 = Request::get("http://[fd00::1]:80/foo");
    assert_eq!(location(UNTOUCHED, &ipv6), "http://[fd00::1]/foo");
}

#[test]
fn a_redirect_without_any_host_is_relative() {
    assert_eq!(location(UNTOUCHED, &Request::get("http:///foo?a=b")), "/foo?a=b");
}

#[test]
fn the_port_is_the_redirects_or_the_schemes_or_the_services() {
    let request = Request::get("http://s:8080/foo");
    let cases = [
        (None, None, 80, "http://s/foo"),
        (None, None, 8080, "http://s:8080/foo"),
        (None, None, 443, "http://s:443/foo"),
        (None, Some(80), 8080, "http://s/foo"),
        (None, Some(9090), 8080, "http://s:9090/foo"),
        (Some("https"), None, 8080, "https://s/foo"),
        (Some("http"), None, 8080, "http://s/foo"),
        (Some("https"), Some(443), 80, "https://s/foo"),
        (Some("https"), Some(80), 80, "https://s:80/foo"),
        (Some("https"), Some(8443), 80, "https://s:8443/foo"),
    ];
    for (scheme, port, service_port, expected) in cases {
        let redirect = Redirect { scheme: scheme.map(Into::into), port, ..UNTOUCHED };
        assert_eq!(location_on(service_port, redirect, &request), expected);
    }
}

#[test]
fn a_redirect_replaces_the_path_and_keeps_the_query() {
    let edited = |edit| location(Redirect { path: Some(edit), ..UNTOUCHED }, &url("/foo/a?b=c"));
    assert_eq!(edited(PathEdit::Full("/x".into())), "http://s/x?b=c");
    assert_eq!(edited(PathEdit::Prefix("/x".into())), "http://s/x/a?b=c");
}

#[test]
fn a_request_for_no_path_is_redirected_to_the_root() {
    let table = with_filter(prefix("/"), HttpFilter::Redirect(UNTOUCHED));
    let request = Request::new("OPTIONS", "http://s/").path("*");
    let choice = choose(&table, &request);
    assert!(matches!(choice, Choice::Redirect { location, .. } if location == "http://s/"));
}

fn setting(name: &str) -> HeaderEdit {
    HeaderEdit { set: vec![(name.into(), "1".into())], ..HeaderEdit::default() }
}

#[test]
fn header_edits_of_the_rule_come_before_those_of_the_backend() {
    let table = table_of(HttpRule {
        filters: vec![
            HttpFilter::RequestHeaders(setting("rule")),
            HttpFilter::ResponseHeaders(setting("response")),
        ],
        backends: vec![HttpBackend {
            filters: vec![HttpFilter::RequestHeaders(setting("backend"))],
            ..backend("b", 1)
        }],
        ..rule(vec![], "")
    });
    match choose(&table, &url("/")) {
        Choice::Forward { edits, .. } => {
            assert_eq!(edits.request, [&setting("rule"), &setting("backend")]);
            assert_eq!(edits.response, [Cow::Owned(setting("response"))]);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_redirect_comes_with_the_edits_of_its_response() {
    let table = table_of(HttpRule {
        filters: vec![
            HttpFilter::ResponseHeaders(setting("response")),
            HttpFilter::Redirect(Redirect { status: 308, ..UNTOUCHED }),
        ],
        ..rule(vec![], "b")
    });
    match choose(&table, &url("/")) {
        Choice::Redirect { rule, status, edits, .. } => {
            assert_eq!((&*rule.label, status), ("default.r.0", 308));
            assert_eq!(edits.response, [Cow::Owned(setting("response"))]);
        }
        other => panic!("{other:?}"),
    }
}
