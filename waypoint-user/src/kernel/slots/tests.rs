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

#[test]
fn an_adopted_number_is_given_to_nobody_until_it_comes_back() {
    let mut slots = Slots::default();
    slots.adopt(7);
    slots.adopt(3);
    assert_eq!(slots.take(), Some(8), "after the last that was given");
    let given: BTreeSet<u16> = std::iter::from_fn(|| slots.take()).collect();
    assert_eq!(given.len(), usize::from(LARGEST) - 3);
    assert!(!given.contains(&7) && !given.contains(&3));
    slots.give_back(7);
    assert_eq!(slots.take(), Some(7));
}

#[test]
fn zero_and_the_probe_s_number_are_not_adopted() {
    let mut slots = Slots::default();
    slots.adopt(0);
    slots.adopt(PROBE_SLOT);
    assert_eq!(slots.take(), Some(1));
}
