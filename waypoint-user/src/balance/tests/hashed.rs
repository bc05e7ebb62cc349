//! Rings and tables: even, and moving little.

use proptest::prelude::*;

use super::super::{hash::hash, maglev::Table, ring::Ring};

const KEYS: u64 = 20_000;

fn names(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("10.1.{}.{}:8080", index / 250, index % 250)).collect()
}

fn even(names: &[String]) -> impl Iterator<Item = (&String, u32)> {
    names.iter().map(|name| (name, 1))
}

fn key(number: u64) -> u64 {
    hash(format!("user-{number}").as_bytes())
}

fn counts(count: usize, find: impl Fn(u64) -> Option<usize>) -> Vec<u64> {
    let mut counts = vec![0; count];
    for number in 0..KEYS {
        counts[find(key(number)).unwrap()] += 1;
    }
    counts
}

#[test]
fn a_ring_spreads_keys_over_all_endpoints() {
    let ring = Ring::new(even(&names(10)));
    let counts = counts(10, |key| ring.find(key, |_| true));
    for count in &counts {
        assert!((1_500..2_600).contains(count), "{counts:?}");
    }
}

#[test]
fn a_table_spreads_keys_evenly() {
    let table = Table::new(even(&names(10)));
    let counts = counts(10, |key| table.find(key, |_| true));
    for count in &counts {
        assert!((1_850..2_150).contains(count), "{counts:?}");
    }
}

#[test]
fn on_a_ring_only_keys_of_the_endpoint_that_left_move() {
    let all = names(10);
    let (before, after) = (Ring::new(even(&all)), Ring::new(even(&all[..9])));
    for number in 0..KEYS {
        let (was, is) = (before.find(key(number), |_| true), after.find(key(number), |_| true));
        assert!(was == is || was == Some(9), "{number}: {was:?} became {is:?}");
    }
}

#[test]
fn in_a_table_few_other_keys_move() {
    let all = names(10);
    let (before, after) = (Table::new(even(&all)), Table::new(even(&all[..9])));
    let moved = (0..KEYS).filter(|number| {
        let was = before.find(key(*number), |_| true);
        was != Some(9) && was != after.find(key(*number), |_| true)
    });
    let moved = moved.count() as u64;
    assert!(moved < KEYS / 20, "{moved} of {KEYS} moved");
}

#[test]
fn of_nobody_nobody_is_found() {
    assert_eq!(Ring::new(even(&[])).find(1, |_| true), None);
    assert_eq!(Table::new(even(&[])).find(1, |_| true), None);
}

#[test]
fn weights_that_are_all_the_same_change_nothing() {
    let all = names(10);
    let heavy = || all.iter().map(|name| (name, 100));
    let (rings, tables) = (
        (Ring::new(even(&all)), Ring::new(heavy())),
        (Table::new(even(&all)), Table::new(heavy())),
    );
    for number in 0..KEYS {
        let key = key(number);
        assert_eq!(rings.0.find(key, |_| true), rings.1.find(key, |_| true));
        assert_eq!(tables.0.find(key, |_| true), tables.1.find(key, |_| true));
    }
}

#[test]
fn on_a_ring_a_heavy_endpoint_that_leaves_moves_only_its_keys() {
    let all = names(10);
    let weighed = |names| even(names).zip([1, 2, 3, 1, 2, 3, 1, 2, 3, 7]);
    let weighed = |names| weighed(names).map(|((name, _), weight)| (name, weight));
    let (before, after) = (Ring::new(weighed(&all)), Ring::new(weighed(&all[..9])));
    for number in 0..KEYS {
        let (was, is) = (before.find(key(number), |_| true), after.find(key(number), |_| true));
        assert!(was == is || was == Some(9), "{number}: {was:?} became {is:?}");
    }
}

#[test]
fn who_weighs_hardly_anything_is_still_in_the_ring_and_the_table() {
    let all = names(2);
    let weighed = || all.iter().zip([1_000_000, 1]);
    let only_light = |index| index == 1;
    assert_eq!(Ring::new(weighed()).find(1, only_light), Some(1));
    assert_eq!(Table::new(weighed()).find(1, only_light), Some(1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn who_may_not_be_taken_is_not_and_the_others_keep_their_keys(
        count in 1..12_usize, out in 0..12_usize, hash: u64,
    ) {
        let all = names(count);
        let ring = Ring::new(even(&all));
        let (with, without) = (ring.find(hash, |_| true), ring.find(hash, |index| index != out));
        prop_assert_ne!(without, Some(out));
        prop_assert!(with == without || with == Some(out));
        prop_assert_eq!(without.is_none(), count == 1 && out == 0);
    }

    #[test]
    fn keys_are_spread_as_endpoints_weigh(
        weights in prop::collection::vec(1..20_u32, 1..8),
    ) {
        let all = names(weights.len());
        let weighed = || all.iter().zip(weights.iter().copied());
        let (ring, table) = (Ring::new(weighed()), Table::new(weighed()));
        let total: u32 = weights.iter().sum();
        let on_ring = counts(weights.len(), |key| ring.find(key, |_| true));
        let in_table = counts(weights.len(), |key| table.find(key, |_| true));
        for (index, weight) in weights.iter().enumerate() {
            let number = |count: u64| f64::from(u32::try_from(count).unwrap());
            let fair = number(KEYS) * f64::from(*weight) / f64::from(total);
            let off = |count: u64| (number(count) - fair).abs();
            prop_assert!(off(on_ring[index]) < 0.35 * fair + 30.0, "{on_ring:?} for {weights:?}");
            prop_assert!(off(in_table[index]) < 6.0 * fair.sqrt(), "{in_table:?} for {weights:?}");
        }
    }
}
