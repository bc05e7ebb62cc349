//! Endpoints that weigh differently.

use proptest::prelude::*;

use super::super::weights::{TOTAL_MAX, Turns, draw, least_request, of};
use super::seeded;

/// How many of so many requests each is to get.
fn fair(weights: &[u32], requests: u32) -> Vec<f64> {
    let total: u32 = weights.iter().sum();
    let part = |weight: &u32| f64::from(requests) * f64::from(*weight) / f64::from(total);
    weights.iter().map(part).collect()
}

#[test]
fn what_weighs_the_same_is_not_weighed() {
    assert_eq!(of(&[]), None);
    assert_eq!(of(&[7]), None);
    assert_eq!(of(&[7, 7, 7]), None);
    assert_eq!(of(&[7, 7, 8]), Some(vec![7, 7, 8]));
}

#[test]
fn weights_that_are_too_much_together_are_scaled_down_and_none_to_nothing() {
    assert_eq!(of(&[u32::MAX, u32::MAX - 1, 1]), Some(vec![500_000, 499_999, 1]));
    assert_eq!(of(&[TOTAL_MAX - 1, 1]), Some(vec![TOTAL_MAX - 1, 1]));
    assert_eq!(of(&[TOTAL_MAX, 1]), Some(vec![999_999, 1]));
}

#[test]
fn turns_of_a_heavy_candidate_are_spread_out() {
    let (weights, mut turns) = ([5, 1, 1], Turns::default());
    let chosen = (0..7).map(|_| turns.choose(3, |index| weights[index]).unwrap());
    assert_eq!(chosen.collect::<Vec<_>>(), [0, 0, 1, 0, 2, 0, 0]);
}

#[test]
fn nobody_without_a_part_is_chosen() {
    let mut turns = Turns::default();
    for _ in 0..10 {
        assert_eq!(turns.choose(2, |index| if index == 0 { 0 } else { 3 }), Some(1));
        assert_eq!(draw(3, |index| if index == 1 { 3 } else { 0 }, &mut |_| u32::MAX), Some(1));
    }
    assert_eq!(turns.choose(2, |_| 0), None);
    assert_eq!(turns.choose(0, |_| 1), None);
    assert_eq!(draw(2, |_| 0, &mut seeded(1)), None);
    assert_eq!(draw(0, |_| 1, &mut seeded(1)), None);
}

#[test]
fn who_was_left_out_for_a_while_takes_its_part_again_and_no_more() {
    let (weights, mut turns) = ([1, 2, 4], Turns::default());
    for _ in 0..100 {
        turns.choose(3, |index| if index == 2 { 0 } else { weights[index] }).unwrap();
    }
    let mut counts = [0; 3];
    for _ in 0..70 {
        counts[turns.choose(3, |index| weights[index]).unwrap()] += 1;
    }
    for (count, fair) in counts.iter().zip([10, 20, 40]) {
        assert!((fair - 1..=fair + 1).contains(count), "{counts:?}");
    }
}

#[test]
fn a_heavy_candidate_that_is_loaded_beyond_its_weight_gets_less() {
    let (weights, outstanding) = ([4, 1], [9.0, 2.0]);
    let load = |index: usize| outstanding[index] / f64::from(weights[index]);
    let mut dice = seeded(5);
    let (mut light, requests) = (0, 10_000);
    for _ in 0..requests {
        light += least_request(2, (|index| weights[index], load), &mut dice).unwrap();
    }
    // 9/4 is more than 2: the light one takes what it is drawn for, once of twice.
    assert!((3_400..3_800).contains(&light), "{light}");
}

proptest! {
    #[test]
    fn turns_are_as_many_as_candidates_weigh(
        weights in prop::collection::vec(1..100_u32, 1..12),
    ) {
        let mut turns = Turns::default();
        let mut counts = vec![0_u32; weights.len()];
        let total: u32 = weights.iter().sum();
        for done in 1..=total {
            counts[turns.choose(weights.len(), |index| weights[index]).unwrap()] += 1;
            for (count, fair) in counts.iter().zip(fair(&weights, done)) {
                // Not only in the end: nobody is ever far from what is due.
                let slack = f64::from(u32::try_from(weights.len()).unwrap());
                prop_assert!((f64::from(*count) - fair).abs() <= slack, "{counts:?}");
            }
        }
        prop_assert_eq!(counts, weights);
    }

    #[test]
    fn draws_are_as_many_as_candidates_weigh(
        weights in prop::collection::vec(1..1_000_u32, 1..10), seed: u64,
    ) {
        let (mut dice, requests) = (seeded(seed), 10_000);
        let (mut drawn, mut least) = (vec![0_u32; weights.len()], vec![0_u32; weights.len()]);
        let part = |index: usize| weights[index];
        for _ in 0..requests {
            drawn[draw(weights.len(), part, &mut dice).unwrap()] += 1;
            least[least_request(weights.len(), (part, |_| 0), &mut dice).unwrap()] += 1;
        }
        let counts = drawn.into_iter().chain(least);
        for (count, fair) in counts.zip(fair(&weights, requests).repeat(2)) {
            // Six deviations; and so many above nothing where hardly anything is due.
            let off = (f64::from(count) - fair).abs();
            prop_assert!(off <= 6.0 * fair.sqrt() + 6.0, "{count} instead of {fair}");
        }
    }
}
