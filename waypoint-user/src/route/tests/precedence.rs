//! Which of several rules that match decides.

use super::*;

/// The destination of the request among two rules of one route, in both orders.
fn winner(first: HttpMatch, second: HttpMatch, request: &Request) -> Option<&'static str> {
    let rules = [rule(vec![first], "first"), rule(vec![second], "second")];
    let reversed = rules.iter().rev().cloned().collect();
    let straight = table([route("r", rules.to_vec())]);
    let reversed = table([route("r", reversed)]);
    let won = destination(&straight, request).map(ToOwned::to_owned);
    assert_eq!(won.as_deref(), destination(&reversed, request), "the order should not matter");
    ["first", "second"].into_iter().find(|name| won.as_deref() == Some(name))
}

#[test]
fn an_exact_path_comes_before_prefixes_and_these_before_expressions() {
    assert_eq!(winner(prefix("/a"), exact("/a"), &url("/a")), Some("second"));
    assert_eq!(winner(expression("/a.*"), prefix("/"), &url("/a")), Some("second"));
    assert_eq!(winner(expression("/a.*"), exact("/a"), &url("/a")), Some("second"));
}

#[test]
fn a_longer_prefix_or_expression_comes_first() {
    assert_eq!(winner(prefix("/a"), prefix("/a/b"), &url("/a/b/c")), Some("second"));
    assert_eq!(winner(prefix("/a"), prefix("/a/b"), &url("/a/c")), Some("first"));
    assert_eq!(winner(expression("/a.*"), expression("/.*"), &url("/ab")), Some("first"));
}

#[test]
fn a_longer_prefix_decides_against_more_conditions_on_a_shorter_one() {
    let shorter = HttpMatch { method: Some("GET".into()), ..prefix("/a") };
    assert_eq!(winner(shorter, prefix("/a/b"), &url("/a/b")), Some("second"));
}

#[test]
fn a_prefix_whose_conditions_fail_leaves_the_request_to_a_shorter_one() {
    let longer = HttpMatch { method: Some("PUT".into()), ..prefix("/a/b") };
    assert_eq!(winner(longer, prefix("/"), &url("/a/b/c")), Some("second"));
}

#[test]
fn then_a_method_then_headers_then_query_parameters_decide() {
    let request = url("/?q=1&r=1").header("x", "1").header("y", "1");
    let with = |method: bool, headers: &[&str], query: &[&str]| HttpMatch {
        method: method.then(|| "GET".into()),
        headers: headers.iter().map(|name| value(name, "1")).collect(),
        query: query.iter().map(|name| value(name, "1")).collect(),
        ..HttpMatch::default()
    };
    let falling = [
        with(true, &["x"], &[]),
        with(true, &[], &["q", "r"]),
        with(true, &[], &[]),
        with(false, &["x", "y"], &[]),
        with(false, &["x"], &["q"]),
        with(false, &["x", "x"], &[]),
        with(false, &[], &["q", "r"]),
        with(false, &[], &["q"]),
        with(false, &[], &[]),
    ];
    for (at, better) in falling.iter().enumerate() {
        for worse in &falling[at + 1..] {
            let won = winner(better.clone(), worse.clone(), &request);
            assert_eq!(won, Some("first"), "{better:?} against {worse:?}");
        }
    }
}

/// The route that decides among routes that match everything, given as names with their ages.
fn oldest(routes: &[(&str, &str, Option<i64>)]) -> String {
    let all = routes.iter().map(|(namespace, name, created)| HttpRoute {
        name: ObjectName::new(*namespace, *name),
        created: *created,
        ..route("", vec![rule(vec![], "b")])
    });
    match choose(&table(all), &url("/")) {
        Choice::Forward { rule, .. } => rule.route.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn then_the_older_route_decides_and_then_its_name() {
    assert_eq!(oldest(&[("a", "new", Some(2)), ("a", "old", Some(1))]), "a/old");
    assert_eq!(oldest(&[("a", "b", None), ("a", "known", Some(9))]), "a/known");
    assert_eq!(oldest(&[("b", "a", Some(1)), ("a", "b", Some(1))]), "a/b");
    assert_eq!(oldest(&[("a", "c", None), ("a", "b", None)]), "a/b");
    // The whole of `namespace/name` is compared, in which `-` comes before `/`.
    assert_eq!(oldest(&[("a", "z", None), ("a-b", "a", None)]), "a-b/a");
}

#[test]
fn then_the_first_rule_decides() {
    let rules = vec![rule(vec![prefix("/a")], "first"), rule(vec![prefix("/a/")], "second")];
    assert_eq!(destination(&table([route("r", rules)]), &url("/a")), Some("first"));
}

#[test]
fn a_route_of_the_port_and_one_of_the_whole_service_compete_as_equals() {
    let of_port = |rules| HttpRoute {
        parents: vec![ServiceParent::new(service(), Some(80))],
        ..route("port", rules)
    };
    let wide = || vec![rule(vec![prefix("/")], "wide")];
    let narrow = || vec![rule(vec![prefix("/a")], "narrow")];
    for routes in
        [[of_port(wide()), route("whole", narrow())], [of_port(narrow()), route("whole", wide())]]
    {
        let table = table(routes);
        assert_eq!(destination(&table, &url("/a")), Some("narrow"));
        assert_eq!(destination(&table, &url("/b")), Some("wide"));
    }
}

#[test]
fn a_route_attached_twice_counts_once() {
    let mut twice = route("r", vec![rule(vec![], "b")]);
    twice.parents.push(ServiceParent::new(service(), Some(80)));
    assert_eq!(destination(&table([twice]), &url("/")), Some("b"));
}

#[test]
fn on_a_port_that_has_a_route_of_grpc_those_of_http_do_not_count() {
    let grpc = HttpRoute {
        kind: RouteKind::Grpc,
        parents: vec![ServiceParent::new(service(), Some(80))],
        ..route("calls", vec![rule(vec![prefix("/shop.Cart")], "grpc")])
    };
    let http = || route("all", vec![rule(vec![exact("/shop.Cart/Add")], "http")]);
    let table = table([http(), grpc.clone()]);
    assert_eq!(destination(&table, &url("/shop.Cart/Add")), Some("grpc"));
    assert_eq!(destination(&table, &url("/other")), None);
    let elsewhere = applying(&[Arc::new(http()), Arc::new(grpc)], (&service(), 81), None);
    assert_eq!(elsewhere.len(), 1, "the other port keeps its own");
}
