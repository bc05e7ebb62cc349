//! What matches and what does not.

use super::*;

fn matches(one: HttpMatch, request: &Request) -> bool {
    destination(&table_of(rule(vec![one], "b")), request).is_some()
}

#[test]
fn without_a_route_for_the_port_there_is_no_table() {
    let of_port = |port| HttpRoute {
        parents: vec![ServiceParent::new(service(), Some(port))],
        ..route("r", vec![rule(vec![], "b")])
    };
    assert!(compile([], 80).is_none());
    assert!(compile([of_port(81)], 80).is_none());
    assert!(compile([of_port(80)], 80).is_some());
    let of_other = HttpRoute {
        parents: vec![ServiceParent::new(ObjectName::new("other", "s"), None)],
        ..route("r", vec![])
    };
    assert!(compile([of_other], 80).is_none());
}

#[test]
fn a_route_replaces_the_default_even_for_what_it_does_not_match() {
    let table = table_of(rule(vec![prefix("/a")], "b"));
    assert_eq!(choose(&table, &url("/b")), Choice::NoMatch);
    assert_eq!(choose(&self::table([route("r", vec![])]), &url("/")), Choice::NoMatch);
}

#[test]
fn a_rule_without_matches_matches_everything() {
    let table = table_of(rule(vec![], "b"));
    assert_eq!(destination(&table, &url("/any")), Some("b"));
    assert_eq!(destination(&table, &url("/").path("*")), Some("b"));
}

#[test]
fn paths_match_wholly_by_leading_elements_or_by_expression() {
    let cases = [
        (exact("/a"), "/a", true),
        (exact("/a"), "/a/", false),
        (exact("/a"), "/A", false),
        (prefix("/foo"), "/foo", true),
        (prefix("/foo"), "/foo/", true),
        (prefix("/foo"), "/foo/x", true),
        (prefix("/foo"), "/foobar", false),
        (prefix("/foo"), "/", false),
        (prefix("/foo/"), "/foo", true),
        (prefix("/foo/"), "/foo/x", true),
        (prefix("/foo/"), "/foobar", false),
        (prefix("/foo/bar"), "/foo", false),
        (prefix("/foo"), "//foo", false),
        (prefix("/"), "//foo", true),
        (prefix("/"), "/", true),
        (expression("/v[0-9]+"), "/v12", true),
        (expression("/v[0-9]+"), "/v12/x", false),
        (expression("/a|/b"), "/b", true),
        (expression("/a|/b"), "/bc", false),
    ];
    for (one, path, expected) in cases {
        assert_eq!(matches(one.clone(), &url(path)), expected, "{one:?} on {path}");
    }
}

#[test]
fn header_fields_match_exactly_or_by_expression_and_must_be_there() {
    let with = |headers| HttpMatch { headers, ..HttpMatch::default() };
    let request = url("/").header("x", "one").header("y", "2").header("z", "a").header("z", "b");
    let cases = [
        (vec![value("x", "one")], true),
        (vec![value("x", "One")], false),
        (vec![value("w", "")], false),
        (vec![value_like("y", "[0-9]")], true),
        (vec![value_like("x", "on")], false),
        (vec![value("x", "one"), value("y", "3")], false),
        (vec![value("x", "one"), value("x", "two")], true),
        (vec![value("x", "two"), value("x", "one")], false),
        (vec![value("z", "a,b")], true),
    ];
    for (headers, expected) in cases {
        assert_eq!(matches(with(headers.clone()), &request), expected, "{headers:?}");
    }
}

#[test]
fn query_parameters_match_by_their_first_value_decoded() {
    let cases = [
        (value("a", "1"), "/?a=1", true),
        (value("a", "1"), "/?b=2&a=1&a=3", true),
        (value("a", "3"), "/?a=1&a=3", false),
        (value("a", "1"), "/", false),
        (value("a", ""), "/?a", true),
        (value("a", ""), "/?a=", true),
        (value("a", "b=c"), "/?a=b=c", true),
        (value("a", "x y"), "/?a=x%20y", true),
        (value("a b", "1"), "/?a%20b=1", true),
        (value("a", "x+y"), "/?a=x+y", true),
        (value("a", "é"), "/?a=%C3%A9", true),
        (value("a", "%zz%"), "/?a=%zz%", true),
        (value("a", "%+f"), "/?a=%+f", true),
        (value("a", "\u{fffd}"), "/?a=%ff", true),
        (value_like("a", "[0-9]+"), "/?a=12", true),
        (value_like("a", "[0-9]+"), "/?a=12x", false),
    ];
    for (condition, target, expected) in cases {
        let one = HttpMatch { query: vec![condition.clone()], ..HttpMatch::default() };
        assert_eq!(matches(one, &url(target)), expected, "{condition:?} on {target}");
    }
}

#[test]
fn of_a_repeated_query_parameter_the_first_condition_counts() {
    let query = vec![value("a", "1"), value("a", "2")];
    let one = HttpMatch { query, ..HttpMatch::default() };
    assert!(matches(one.clone(), &url("/?a=1")));
    assert!(!matches(one, &url("/?a=2")));
}

#[test]
fn methods_match_exactly() {
    let put = HttpMatch { method: Some("PUT".into()), ..HttpMatch::default() };
    assert!(matches(put.clone(), &Request::new("PUT", "http://s/")));
    assert!(!matches(put.clone(), &Request::new("put", "http://s/")));
    assert!(!matches(put, &url("/")));
}

#[test]
fn any_match_of_a_rule_suffices_and_all_its_conditions_are_needed() {
    let put = HttpMatch { method: Some("PUT".into()), ..prefix("/a") };
    let table = table_of(rule(vec![put, exact("/b")], "b"));
    assert_eq!(destination(&table, &url("/b")), Some("b"));
    assert_eq!(destination(&table, &url("/a")), None);
    assert_eq!(destination(&table, &Request::new("PUT", "http://s/a/x")), Some("b"));
    assert_eq!(destination(&table, &Request::new("PUT", "http://s/c")), None);
}

#[test]
fn the_host_of_the_request_plays_no_part() {
    let table = table_of(rule(vec![prefix("/a")], "b"));
    assert_eq!(destination(&table, &Request::get("http://other/a")), Some("b"));
}
