//! Unit tests of slots.

use super::*;

#[test]
fn a_number_that_came_back_is_used_last() {
    let mut slots = Slots::default();
    assert_eq!((slots.take(), slots.take()), (Some(1), Some(2)));
    slots.give_back(1);
    assert_eq!(slots.take(), Some(3));
}

#[test]
fn every_number_but_zero_and_the_probes_is_given_once() {
    let mut slots = Slots::default();
    let given: BTreeSet<u16> = std::iter::from_fn(|| slots.take()).collect();
    assert_eq!(given.len(), usize::from(LARGEST));
    assert!(!given.contains(&0) && !given.contains(&PROBE_SLOT));
    slots.give_back(77);
    assert_eq!(slots.take(), Some(77));
}
