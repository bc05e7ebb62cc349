//! What endpoints showed of themselves: how soon they answer, and how badly.

use std::time::Duration;

use super::super::{
    ejection::{Answers, may_eject, outliers, time},
    ewma::Expectation,
};
use crate::mesh::traffic_policy::{OutlierDetection, SuccessRate};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn rules(max_ejection_percent: u8) -> OutlierDetection {
    OutlierDetection {
        consecutive_5xx: 5,
        consecutive_gateway_errors: 0,
        success_rate: None,
        interval: secs(10),
        base_ejection_time: secs(30),
        max_ejection_time: secs(100),
        max_ejection_percent,
    }
}

#[test]
fn a_peak_counts_at_once_and_is_forgotten_slowly() {
    let mut expected = Expectation::default();
    expected.learn(Duration::from_millis(10), secs(1));
    let calm = expected.cost(0.0, secs(1));
    expected.learn(secs(1), secs(2));
    assert!(expected.cost(0.0, secs(2)) > 90.0 * calm);
    expected.learn(Duration::from_millis(10), secs(3));
    assert!(expected.cost(0.0, secs(3)) > 50.0 * calm, "one good answer is no proof");
    for at in 4..80 {
        expected.learn(Duration::from_millis(10), secs(at));
    }
    assert!(expected.cost(0.0, secs(80)) < 2.0 * calm);
}

#[test]
fn waiting_requests_cost_and_an_unknown_endpoint_gets_one_first() {
    let (mut slow, unknown) = (Expectation::default(), Expectation::default());
    slow.learn(secs(1), secs(1));
    assert!(unknown.cost(0.0, secs(1)) < slow.cost(0.0, secs(1)));
    assert!(unknown.cost(1.0, secs(1)) > slow.cost(100.0, secs(1)));
    assert!(slow.cost(1.0, secs(1)) > slow.cost(0.0, secs(1)));
}

#[test]
fn so_many_may_be_ejected_and_one_always() {
    assert!(may_eject(0, 2, &rules(10)));
    assert!(!may_eject(1, 2, &rules(10)));
    assert!(may_eject(1, 4, &rules(50)));
    assert!(!may_eject(2, 4, &rules(50)));
    assert!(may_eject(3, 4, &rules(100)));
    assert!(!may_eject(0, 4, &rules(0)));
}

#[test]
fn who_is_ejected_again_is_ejected_for_longer_up_to_a_limit() {
    let times: Vec<Duration> = [1, 2, 3, 4, u32::MAX].map(|nth| time(nth, &rules(10))).into();
    assert_eq!(times, [secs(30), secs(60), secs(90), secs(100), secs(100)]);
}

#[test]
fn who_succeeds_far_less_often_than_the_others_is_an_outlier() {
    let rules = SuccessRate { minimum_hosts: 5, request_volume: 100, stdev_factor: 1900 };
    let mut answers = vec![Answers { all: 100, good: 99 }; 9];
    answers.push(Answers { all: 100, good: 60 });
    assert_eq!(outliers(&answers, &rules), [9]);
    // Too few requests are no evidence, and too few others no measure.
    answers[9].all = 99;
    assert!(outliers(&answers, &rules).is_empty());
    assert!(outliers(&[Answers { all: 100, good: 1 }; 4], &rules).is_empty());
    assert!(outliers(&[Answers { all: 100, good: 50 }; 9], &rules).is_empty());
    assert!(outliers(&[], &rules).is_empty());
}
