//! Rings and tables: even, and moving little.

use proptest::prelude::*;

use super::super::{hash::hash, maglev::Table, ring::Ring};

const KEYS: u64 = 20_000;

fn names(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("10.1.{}.{}:8080", index / 250, index % 250)).collect()
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
    let ring = Ring::new(names(10).iter());
    let counts = counts(10, |key| ring.find(key, |_| true));
    for count in &counts {
        assert!((1_500..2_600).contains(count), "{counts:?}");
    }
}

#[test]
fn a_table_spreads_keys_evenly() {
    let table = Table::new(names(10).iter());
    let counts = counts(10, |key| table.find(key, |_| true));
    for count in &counts {
        assert!((1_850..2_150).contains(count), "{counts:?}");
    }
}

#[test]
fn on_a_ring_only_keys_of_the_endpoint_that_left_move() {
    let all = names(10);
    let (before, after) = (Ring::new(all.iter()), Ring::new(all[..9].iter()));
    for number in 0..KEYS {
        let (was, is) = (before.find(key(number), |_| true), after.find(key(number), |_| true));
        assert!(was == is || was == Some(9), "{number}: {was:?} became {is:?}");
    }
}

#[test]
fn in_a_table_few_other_keys_move() {
    let all = names(10);
    let (before, after) = (Table::new(all.iter()), Table::new(all[..9].iter()));
    let moved = (0..KEYS).filter(|number| {
        let was = before.find(key(*number), |_| true);
        was != Some(9) && was != after.find(key(*number), |_| true)
    });
    let moved = moved.count() as u64;
    assert!(moved < KEYS / 20, "{moved} of {KEYS} moved");
}

#[test]
fn of_nobody_nobody_is_found() {
    assert_eq!(Ring::new(names(0).iter()).find(1, |_| true), None);
    assert_eq!(Table::new(names(0).iter()).find(1, |_| true), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn who_may_not_be_taken_is_not_and_the_others_keep_their_keys(
        count in 1..12_usize, out in 0..12_usize, hash: u64,
    ) {
        let all = names(count);
        let ring = Ring::new(all.iter());
        let (with, without) = (ring.find(hash, |_| true), ring.find(hash, |index| index != out));
        prop_assert_ne!(without, Some(out));
        prop_assert!(with == without || with == Some(out));
        prop_assert_eq!(without.is_none(), count == 1 && out == 0);
    }
}
