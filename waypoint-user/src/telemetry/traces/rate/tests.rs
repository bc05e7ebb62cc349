use proptest::prelude::*;

use super::*;

#[test]
fn a_percentage_has_at_most_two_decimals() {
    for (text, hundredths) in
        [("0", 0), ("1", 100), ("0.01", 1), ("12.5", 1250), ("99.99", 9999), ("100.00", 10_000)]
    {
        assert_eq!(text.parse::<Rate>().unwrap(), Rate(hundredths), "{text}");
    }
    for bad in ["", ".", "1.", ".5", "-1", "+1", "100.01", "101", "0.001", "1e1", "1,5", "65536"] {
        assert!(bad.parse::<Rate>().is_err(), "{bad}");
    }
}

#[test]
fn the_default_is_one_percent() {
    assert_eq!(Rate::default().to_string(), "1.00");
    assert_eq!("1".parse::<Rate>().unwrap(), Rate::default());
}

#[test]
fn about_as_many_traces_are_taken_as_are_asked_for() {
    let mut dice = fastrand::Rng::with_seed(7);
    let rate: Rate = "12.5".parse().unwrap();
    let taken = (0..100_000).filter(|_| rate.takes(dice.u128(..))).count();
    assert!((12_000..13_000).contains(&taken), "{taken}");
}

proptest! {
    #[test]
    fn all_and_none_are_exact(trace: u128) {
        prop_assert!(Rate(WHOLE).takes(trace));
        prop_assert!(!Rate(0).takes(trace));
    }

    #[test]
    fn what_is_written_is_read(hundredths in 0..=WHOLE) {
        prop_assert_eq!(Rate(hundredths).to_string().parse::<Rate>().unwrap(), Rate(hundredths));
    }

    #[test]
    fn whoever_is_taken_at_a_rate_is_taken_at_a_higher_one(trace: u128, rate in 0..WHOLE) {
        prop_assert!(!Rate(rate).takes(trace) || Rate(rate + 1).takes(trace));
    }
}
