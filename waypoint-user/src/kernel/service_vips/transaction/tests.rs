use serde_json::Value;

use super::{difference, removal, whole};
use crate::kernel::service_vips::ruleset::{Ruleset, Way};

#[test]
fn the_whole_table_takes_the_place_of_what_was_there() {
    let wanted = ruleset(&[
        ("10.96.0.1:80", "shop/reviews", &["10.1.0.2:8080", "10.1.0.3:8080"]),
        ("10.96.0.2:443", "shop/broken", &[]),
        ("[fd00:96::1]:80", "shop/reviews", &["[fd00:1::2]:8080"]),
    ]);
    assert_golden(&whole("waypoint", &wanted), include_str!("whole.json"));
}

#[test]
fn a_change_touches_only_what_changes() {
    let current = ruleset(&[
        ("10.96.0.1:80", "shop/reviews", &["10.1.0.2:8080"]),
        ("10.96.0.2:80", "shop/ratings", &["10.1.0.4:8080"]),
        ("10.96.0.3:80", "shop/catalog", &["10.1.0.5:8080"]),
    ]);
    let wanted = ruleset(&[
        ("10.96.0.1:80", "shop/reviews", &["10.1.0.2:8080", "10.1.0.3:8080"]),
        ("10.96.0.3:80", "shop/catalog", &["10.1.0.5:8080"]),
        ("[fd00:96::1]:80", "shop/reviews", &[]),
    ]);
    let steps = difference("waypoint", &current, &wanted);
    assert_golden(&steps, include_str!("difference.json"));
    assert!(!steps.to_string().contains("10.96.0.3"));
}

#[test]
fn no_change_is_no_command() {
    let same = ruleset(&[("10.96.0.1:80", "shop/reviews", &["10.1.0.2:8080"])]);
    assert_golden(&difference("waypoint", &same, &same), r#"{"nftables": []}"#);
}

#[test]
fn removal_names_the_table_and_nothing_else() {
    assert_golden(
        &removal("own"),
        r#"{"nftables": [{"delete": {"table": {"family": "inet", "name": "own"}}}]}"#,
    );
}

fn ruleset(ways: &[(&str, &str, &[&str])]) -> Ruleset {
    let way = |(frontend, service, endpoints): &(&str, &str, &[&str])| {
        let endpoints = endpoints.iter().map(|endpoint| endpoint.parse().unwrap()).collect();
        (frontend.parse().unwrap(), Way { service: (*service).to_owned(), endpoints })
    };
    Ruleset { ways: ways.iter().map(way).collect() }
}

fn assert_golden(request: &Value, golden: &str) {
    let expected: Value = serde_json::from_str(golden).unwrap();
    // Command by command, as one string of all of them is hard to compare by eye.
    let commands = |request: &Value| -> Vec<String> {
        request["nftables"].as_array().unwrap().iter().map(Value::to_string).collect()
    };
    assert_eq!(commands(request), commands(&expected), "{request}");
}
