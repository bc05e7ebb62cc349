use std::time::Duration;

use super::Times;

#[test]
fn percentiles_are_times_that_were_measured() {
    let mut times = Times::default();
    for time in (1..=200).rev() {
        times.add(Duration::from_millis(time));
    }
    assert_eq!(times.text(), "100.0 / 198.0 / 200.0");
}

#[test]
fn one_time_is_all_of_them() {
    let mut times = Times::default();
    times.add(Duration::from_millis(7));
    assert_eq!(times.text(), "7.0 / 7.0 / 7.0");
}
