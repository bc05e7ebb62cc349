//! The specification read aloud, slowly, against the table.

use std::cmp::Reverse;

use proptest::{prelude::*, sample::select};

use super::*;

/// The rule that decides, found by looking at every match of every route.
fn expected(
    routes: &[HttpRoute],
    port: u16,
    client: &str,
    request: &Request,
) -> Option<(ObjectName, usize)> {
    let mut decided = None;
    let for_client = Some(client.to_owned());
    let consumes = routes.iter().any(|route| route_applies(route, port, for_client.as_ref()));
    let clients = for_client.filter(|_| consumes);
    for route in routes.iter().filter(|route| route_applies(route, port, clients.as_ref())) {
        for (index, rule) in route.rules.iter().enumerate() {
            let everything = [HttpMatch::default()];
            let matches = if rule.matches.is_empty() { &everything } else { &rule.matches[..] };
            for one in matches.iter().filter(|one| match_holds(one, request)) {
                let age = (route.created.is_none(), route.created, route.name.to_string());
                let rank = (path_rank(&one.path), conditions_rank(one), age, index);
                decided = match decided {
                    Some((best, known)) if best <= rank => Some((best, known)),
                    _ => Some((rank, (route.name.clone(), index))),
                };
            }
        }
    }
    decided.map(|(_, id)| id)
}

fn route_applies(route: &HttpRoute, port: u16, clients: Option<&String>) -> bool {
    [None, Some(port)].into_iter().any(|port| {
        let clients = clients.cloned();
        route.parents.contains(&ServiceParent { clients, ..ServiceParent::new(service(), port) })
    })
}

fn path_rank(path: &PathMatch) -> (u8, Reverse<usize>) {
    match path {
        PathMatch::Exact(_) => (0, Reverse(0)),
        PathMatch::Prefix(prefix) => (1, Reverse(prefix.trim_end_matches('/').len())),
        PathMatch::Regex(regex) => (2, Reverse(regex.as_str().len())),
    }
}

fn conditions_rank(one: &HttpMatch) -> (bool, Reverse<usize>, Reverse<usize>) {
    let count = |conditions| Reverse(in_force(conditions).count());
    (one.method.is_none(), count(&one.headers), count(&one.query))
}

/// Conditions whose name no condition before has.
fn in_force(conditions: &[ValueMatch]) -> impl Iterator<Item = &ValueMatch> {
    conditions.iter().enumerate().filter_map(|(index, condition)| {
        let before = &conditions[..index];
        before.iter().all(|known| known.name != condition.name).then_some(condition)
    })
}

fn match_holds(one: &HttpMatch, request: &Request) -> bool {
    let connects = request.method() == "CONNECT";
    let path = match &one.path {
        path if connects => *path == PathMatch::Prefix("/".into()),
        PathMatch::Exact(path) => request.path() == path,
        PathMatch::Prefix(prefix) => {
            let prefix = prefix.trim_end_matches('/');
            request.path() == prefix || request.path().starts_with(&format!("{prefix}/"))
        }
        PathMatch::Regex(regex) => regex.matches(request.path()),
    };
    let method = match &one.method {
        Some(method) => method == request.method(),
        None => !connects,
    };
    let header = in_force(&one.headers).all(|wanted| {
        let value = RequestHead::header(request, &wanted.name);
        value.is_some_and(|value| value_holds(&wanted.value, &value))
    });
    let query = in_force(&one.query).all(|wanted| {
        let pairs = request.query().into_iter().flat_map(|query| query.split('&'));
        let mut pairs = pairs.filter_map(|pair| pair.split_once('='));
        let value = pairs.find(|(name, _)| *name == wanted.name);
        value.is_some_and(|(_, value)| value_holds(&wanted.value, value))
    });
    path && method && header && query
}

fn value_holds(wanted: &ValuePattern, value: &str) -> bool {
    match wanted {
        ValuePattern::Exact(exact) => exact == value,
        ValuePattern::Regex(regex) => regex.matches(value),
    }
}

fn any_path() -> impl Strategy<Value = PathMatch> {
    let exact = select(vec!["/", "/a", "/a/b", "/a/"]);
    let prefix = select(vec!["/", "/a", "/a/", "/a/b", "/b", "/a/b/c", "/ab"]);
    let regex = select(vec!["/a.*", "/.*", "/[ab]", "/a/b|/b"]);
    prop_oneof![
        2 => exact.prop_map(|path| PathMatch::Exact(path.into())),
        4 => prefix.prop_map(|path| PathMatch::Prefix(path.into())),
        1 => regex.prop_map(|path| PathMatch::Regex(Regex::new(path).unwrap())),
    ]
}

fn any_conditions() -> impl Strategy<Value = Vec<ValueMatch>> {
    let name = select(vec!["x", "y"]);
    let exactly = (name.clone(), select(vec!["1", "2"])).prop_map(|(name, text)| value(name, text));
    let like = name.prop_map(|name| value_like(name, "[12]"));
    let some = prop::collection::vec(prop_oneof![3 => exactly, 1 => like], 1..4);
    prop_oneof![2 => Just(vec![]), 1 => some]
}

fn any_method() -> impl Strategy<Value = String> {
    select(vec!["GET", "PUT", "CONNECT"]).prop_map(str::to_owned)
}

fn any_match() -> impl Strategy<Value = HttpMatch> {
    let method = prop::option::weighted(0.3, any_method());
    (any_path(), any_conditions(), any_conditions(), method)
        .prop_map(|(path, headers, query, method)| HttpMatch { path, headers, query, method })
}

fn any_routes(
    matches: impl Strategy<Value = HttpMatch>,
    most: usize,
) -> impl Strategy<Value = Vec<HttpRoute>> {
    let rule = prop::collection::vec(matches, 0..most).prop_map(|matches| rule(matches, "b"));
    let rules = prop::collection::vec(rule, 0..4);
    let parents = prop::collection::vec(select(vec![None, Some(80), Some(81)]), 1..3);
    let created = prop::option::of(0..3_i64);
    let one = (rules, parents, created, select(vec!["a", "a-b", "b"]));
    prop::collection::vec(one, 0..5).prop_map(|all| {
        let named = all.into_iter().enumerate();
        let routes = named.map(|(index, (rules, ports, created, namespace))| HttpRoute {
            kind: RouteKind::Http,
            hostnames: Vec::new(),
            // Falling names, so that the order of creation is not that of names.
            name: ObjectName::new(namespace, format!("r{}", 9 - index)),
            version: Version::default(),
            created,
            parents: ports
                .into_iter()
                .map(|port| ServiceParent {
                    // Routes of this namespace are for its own clients.
                    clients: (namespace == "b").then(|| namespace.to_owned()),
                    ..ServiceParent::new(service(), port)
                })
                .collect(),
            rules,
        });
        routes.collect()
    })
}

fn any_request() -> impl Strategy<Value = Request> {
    let value = || prop::option::of(select(vec!["1", "2", "3"]));
    let path = "(/(a|b|c|ab)?){1,4}";
    let method = select(vec!["GET", "PUT", "POST", "CONNECT"]);
    (method, path, value(), value(), value(), value()).prop_map(|(method, path, x, y, p, q)| {
        let pairs = [("x", p), ("y", q)].map(|(name, value)| Some(format!("{name}={}", value?)));
        let query = pairs.into_iter().flatten().collect::<Vec<_>>().join("&");
        let request = Request::new(method, &format!("http://s{path}?{query}"));
        [("x", x), ("y", y)].into_iter().fold(request, |request, (name, value)| match value {
            Some(value) => request.header(name, value),
            None => request,
        })
    })
}

/// Matches of few paths and many values.
fn crowded_match() -> impl Strategy<Value = HttpMatch> {
    let path = prop_oneof![
        Just(PathMatch::Exact("/a".into())),
        Just(PathMatch::Prefix("/".into())),
        Just(PathMatch::Regex(Regex::new("/.*").unwrap())),
        Just(PathMatch::Regex(Regex::new("/a.").unwrap())),
    ];
    let method = prop::option::weighted(0.3, any_method());
    (path, any_conditions(), any_conditions(), method)
        .prop_map(|(path, headers, query, method)| HttpMatch { path, headers, query, method })
}

fn decided(
    routes: &[HttpRoute],
    port: u16,
    client: &str,
    request: &Request,
) -> Option<(ObjectName, usize)> {
    let table = compile(routes.to_vec(), port)?;
    match table.rules(Some(client))?.choose(request, &mut |_| 0) {
        Choice::Forward { rule, .. } => Some((rule.route.clone(), rule.index)),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn the_rule_that_decides_is_that_of_the_specification(
        routes in any_routes(any_match(), 4), request in any_request(), port in 80..82_u16,
        client in select(vec!["b", "c"]),
    ) {
        let expected = expected(&routes, port, client, &request);
        prop_assert_eq!(decided(&routes, port, client, &request), expected);
    }

    #[test]
    fn so_it_is_where_many_rules_differ_by_a_value(
        routes in any_routes(crowded_match(), 12), request in any_request(), port in 80..82_u16,
        client in select(vec!["b", "c"]),
    ) {
        let expected = expected(&routes, port, client, &request);
        prop_assert_eq!(decided(&routes, port, client, &request), expected);
    }
}
