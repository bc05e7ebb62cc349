//! What a match costs, counted in looks at the request.

use std::{borrow::Cow, cell::Cell};

use super::*;

/// A request that counts how often it is looked at.
struct Counted<'r> {
    request: &'r Request,
    looks: Cell<usize>,
}

impl Counted<'_> {
    fn look(&self) -> &Request {
        self.looks.set(self.looks.get() + 1);
        self.request
    }
}

impl RequestHead for Counted<'_> {
    fn method(&self) -> &str {
        self.look().method()
    }

    fn scheme(&self) -> &str {
        self.look().scheme()
    }

    fn authority(&self) -> &str {
        self.look().authority()
    }

    fn path(&self) -> &str {
        self.look().path()
    }

    fn query(&self) -> Option<&str> {
        self.look().query()
    }

    fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        RequestHead::header(self.look(), name)
    }
}

/// How often a request is looked at until its rule is found, the last of so many.
fn looks(rules: usize, one: impl Fn(usize) -> HttpMatch, request: &Request) -> usize {
    let rules: Vec<_> = (0..rules).map(|number| rule(vec![one(number)], "b")).collect();
    let last = rules.len() - 1;
    let table = table([route("r", rules)]);
    let counted = Counted { request, looks: Cell::new(0) };
    match table.rules(None).unwrap().choose(&counted, &mut |_| 0) {
        Choice::Forward { rule, .. } => assert_eq!(rule.index, last),
        other => panic!("{other:?}"),
    }
    counted.looks.get()
}

/// The cost for few rules and for many, of which the last one matches.
fn costs(one: impl Fn(usize) -> HttpMatch, request: impl Fn(usize) -> Request) -> (usize, usize) {
    let of = |rules: usize| looks(rules, &one, &request(rules - 1));
    (of(200), of(2000))
}

#[test]
fn a_match_costs_the_same_however_many_routes_there_are() {
    let by_path = costs(|number| exact(&format!("/{number}")), |last| url(&format!("/{last}")));
    let by_prefix =
        costs(|number| prefix(&format!("/{number}")), |last| url(&format!("/{last}/x")));
    let by_header = costs(
        |number| HttpMatch { headers: vec![value("x", &number.to_string())], ..prefix("/") },
        |last| url("/").header("x", &last.to_string()),
    );
    let by_two = costs(
        |number| HttpMatch {
            headers: vec![value("x", &(number % 7).to_string()), value("y", &number.to_string())],
            ..prefix("/")
        },
        |last| url("/").header("x", &(last % 7).to_string()).header("y", &last.to_string()),
    );
    let by_query = costs(
        |number| HttpMatch { query: vec![value("q", &number.to_string())], ..prefix("/") },
        |last| url(&format!("/?q={last}")),
    );
    let by_expression = costs(
        |number| expression(&format!("/{number:04}/.*")),
        |last| url(&format!("/{last:04}/x")),
    );
    for (few, many) in [by_path, by_prefix, by_header, by_two, by_query, by_expression] {
        assert_eq!(few, many);
        assert!(many < 12, "{many} looks");
    }
}
