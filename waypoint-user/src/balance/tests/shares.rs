//! Shares of endpoints: even ones, and those of new endpoints.

use std::time::Duration;

use proptest::prelude::*;

use super::super::{FULL, is_panic, random, round_robin::RoundRobin, slow_start::share};
use super::seeded;
use crate::mesh::traffic_policy::SlowStart;

fn slow(aggression: u32) -> SlowStart {
    SlowStart { window: Duration::from_secs(10), aggression }
}

#[test]
fn a_new_endpoint_begins_with_a_tenth_and_grows_to_its_part() {
    let at = |tenths: u64| share(Duration::from_secs(tenths), &slow(1000));
    let shares: Vec<u32> = [0, 1, 3, 5, 9, 10, 11].into_iter().map(at).collect();
    assert_eq!(shares, [100, 100, 300, 500, 900, 1000, 1000]);
    let fast = share(Duration::from_secs(3), &slow(2000));
    assert!(fast > 500, "{fast}");
}

#[test]
fn chance_gives_each_its_share() {
    let (shares, mut dice, mut counts) = ([FULL, FULL, 500], seeded(3), [0; 3]);
    for _ in 0..10_000 {
        counts[random(3, |index| shares[index], &mut dice).unwrap()] += 1;
    }
    assert!((3_800..4_200).contains(&counts[0]), "{counts:?}");
    assert!((1_850..2_150).contains(&counts[2]), "{counts:?}");
    assert_eq!(random(0, |_| FULL, &mut dice), None);
}

#[test]
fn turns_give_each_its_share_exactly() {
    let (shares, mut turns, mut counts) = ([FULL, 250, FULL], RoundRobin::default(), [0; 3]);
    for _ in 0..9_000 {
        counts[turns.choose(3, |index| shares[index]).unwrap()] += 1;
    }
    assert_eq!(counts, [4_000, 1_000, 4_000]);
}

#[test]
fn who_has_no_share_gets_no_turn() {
    let mut turns = RoundRobin::default();
    for _ in 0..10 {
        assert_eq!(turns.choose(2, |index| if index == 0 { 0 } else { FULL }), Some(1));
    }
    assert_eq!(turns.choose(2, |_| 0), None);
    assert_eq!(turns.choose(0, |_| FULL), None);
}

#[test]
fn all_get_requests_when_too_few_are_left() {
    assert!(!is_panic(0, 4, 0));
    assert!(!is_panic(2, 4, 50));
    assert!(is_panic(1, 4, 50));
    assert!(is_panic(3, 4, 100));
}

proptest! {
    #[test]
    fn full_shares_differ_by_one_at_most_whoever_comes_and_goes(
        counts in prop::collection::vec(1..9_usize, 1..6), rounds in 1..50_usize,
    ) {
        let mut turns = RoundRobin::default();
        for count in counts {
            let mut seen = vec![0_usize; count];
            for _ in 0..rounds {
                seen[turns.choose(count, |_| FULL).unwrap()] += 1;
            }
            let (least, most) = (seen.iter().min().unwrap(), seen.iter().max().unwrap());
            prop_assert!(most - least <= 1, "{:?}", seen);
        }
    }
}
