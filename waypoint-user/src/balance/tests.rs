use proptest::prelude::*;

use super::*;

mod hashed;
mod shares;
mod state;
mod weighed;

/// A seeded generator, so that counts are the same in every run.
fn seeded(seed: u64) -> impl FnMut(u32) -> u32 {
    let mut generator = fastrand::Rng::with_seed(seed);
    move |bound| generator.u32(..bound)
}

fn counts(loads: &[u32], rounds: usize) -> Vec<usize> {
    let mut dice = seeded(7);
    let mut counts = vec![0; loads.len()];
    for _ in 0..rounds {
        let chosen = least_request(loads.len(), |index| loads[index], &mut dice).unwrap();
        counts[chosen] += 1;
    }
    counts
}

#[test]
fn nobody_is_chosen_of_nobody() {
    assert_eq!(least_request(0, |_| 0, &mut seeded(1)), None);
}

#[test]
fn a_single_candidate_is_chosen_without_chance_or_load() {
    let chosen = least_request(1, |_| panic!("no load is asked for"), &mut |_| panic!("no dice"));
    assert_eq!(chosen, Some(0));
}

#[test]
fn of_two_candidates_the_less_loaded_is_always_chosen() {
    assert_eq!(counts(&[3, 2], 100), [0, 100]);
    assert_eq!(counts(&[2, 3], 100), [100, 0]);
}

#[test]
fn equally_loaded_candidates_share_evenly() {
    for count in counts(&[5, 5, 5, 5], 10_000) {
        assert!((2_300..2_700).contains(&count), "{count}");
    }
}

#[test]
fn the_most_loaded_of_many_is_never_chosen_and_the_least_loaded_most_often() {
    let counts = counts(&[0, 1, 2, 9], 10_000);
    assert_eq!(counts[3], 0);
    // The least loaded is one of the two picked with chance 1/2, and then always chosen.
    assert!((4_700..5_300).contains(&counts[0]), "{counts:?}");
    assert!(counts[0] > counts[1] && counts[1] > counts[2], "{counts:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_index_is_in_range_and_beats_one_other(
        loads in prop::collection::vec(0..4_u32, 1..20), seed: u64,
    ) {
        let chosen = least_request(loads.len(), |index| loads[index], &mut seeded(seed)).unwrap();
        prop_assert!(chosen < loads.len());
        let mut others = loads.iter().enumerate().filter(|(index, _)| *index != chosen);
        let beats_one = others.any(|(_, load)| *load >= loads[chosen]);
        prop_assert!(beats_one || loads.len() == 1);
    }

    #[test]
    fn loaded_dice_cannot_leave_the_range(candidates in 1..20_usize, roll: u32) {
        let chosen = least_request(candidates, |_| 0, &mut |_| roll).unwrap();
        prop_assert!(chosen < candidates);
    }
}
