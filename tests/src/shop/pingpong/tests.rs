use std::time::Duration;

use super::percentile;

#[test]
fn a_percentile_is_the_nearest_rank() {
    let times: Vec<_> = (1..=100).map(Duration::from_micros).collect();
    assert_eq!(percentile(&times, 50), Duration::from_micros(50));
    assert_eq!(percentile(&times, 99), Duration::from_micros(99));
    assert_eq!(percentile(&times[..1], 50), Duration::from_micros(1));
    assert_eq!(percentile(&[], 50), Duration::ZERO);
}
