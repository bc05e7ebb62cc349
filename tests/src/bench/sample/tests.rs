use super::{Report, Way};

fn report(bare: &[f64], left_alone: &[f64]) -> Report {
    let mut report = Report::default();
    for (way, times) in [(Way::Bare, bare), (Way::LeftAlone, left_alone)] {
        for time in times {
            report.add(way, *time);
        }
    }
    report
}

#[test]
fn the_median_is_the_middle_round() {
    assert!((report(&[9.0, 1.0, 2.0], &[]).median(Way::Bare) - 2.0).abs() < f64::EPSILON);
}

#[test]
fn a_difference_counts_when_rounds_agree_better_than_that() {
    assert!(
        report(&[20.0, 20.5, 21.0], &[20.4, 20.9, 21.4])
            .is_within_spread(Way::Bare, Way::LeftAlone)
    );
    assert!(
        !report(&[20.0, 20.1, 20.2], &[25.0, 25.1, 25.2])
            .is_within_spread(Way::Bare, Way::LeftAlone)
    );
}
