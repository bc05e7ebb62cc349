//! How requests are shared among backends.

use proptest::prelude::*;

use super::*;
use crate::route::split::Split;

/// How many of 10 000 requests each of these weights gets, with a seeded generator.
fn shares(weights: &[u32]) -> Vec<u32> {
    let mut generator = fastrand::Rng::with_seed(7);
    let split = Split::new(weights);
    let mut shares = vec![0; weights.len()];
    for _ in 0..10_000 {
        shares[split.pick(&mut |bound| generator.u32(..bound)).unwrap()] += 1;
    }
    shares
}

fn unroutable_reason(table: &Table) -> String {
    match choose(table, &url("/")) {
        Choice::Unroutable { rule, reason } => {
            assert_eq!(rule.label.to_string(), "default.r.0");
            reason
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn backends_share_requests_by_weight_and_zero_gets_nothing() {
    let shares = shares(&[0, 10, 0, 90, 0]);
    assert!((900..1_100).contains(&shares[1]), "{shares:?}");
    assert_eq!(shares[1] + shares[3], 10_000);
}

#[test]
fn weights_whose_sum_is_too_large_keep_their_proportion() {
    let shares = shares(&[u32::MAX, u32::MAX, u32::MAX, u32::MAX]);
    for share in &shares {
        assert!((2_300..2_700).contains(share), "{shares:?}");
    }
}

#[test]
fn an_invalid_backend_keeps_its_share() {
    let invalid = HttpBackend {
        target: BackendTarget::Invalid("no Service default/gone".into()),
        ..backend("", 1)
    };
    let table = table_of(HttpRule { backends: vec![invalid, backend("b", 1)], ..rule(vec![], "") });
    assert_eq!(unroutable_reason(&table), "no Service default/gone");
    let request = url("/");
    let second = table.rules(None).unwrap().choose(&request, &mut |bound| bound - 1);
    assert!(matches!(second, Choice::Forward { service, .. } if service.name == "b"));
}

#[test]
fn without_a_weight_above_zero_a_rule_is_unroutable() {
    for backends in [vec![], vec![backend("b", 0), backend("c", 0)]] {
        let table = table_of(HttpRule { backends, ..rule(vec![], "") });
        assert_eq!(unroutable_reason(&table), "no backend has a weight");
    }
}

#[test]
fn a_choice_names_its_rule() {
    let named = HttpRule { name: Some("canary".into()), ..rule(vec![prefix("/a")], "b") };
    let table = table([route("r", vec![rule(vec![exact("/")], "b"), named])]);
    match choose(&table, &url("/a")) {
        Choice::Forward { rule, service, port, edits, .. } => {
            assert_eq!((rule.label.to_string(), rule.index), ("canary".to_owned(), 1));
            assert_eq!((service.to_string(), port), ("default/b".to_owned(), 8080));
            assert_eq!(edits, Edits::default());
        }
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn every_roll_chooses_a_weight_above_zero(
        weights in prop::collection::vec(prop_oneof![Just(0), 1..5_u32, any::<u32>()], 0..6),
        roll: u32,
    ) {
        match Split::new(&weights).pick(&mut |_| roll) {
            Some(index) => prop_assert!(weights[index] > 0),
            None => prop_assert!(weights.iter().all(|weight| *weight == 0)),
        }
    }
}
