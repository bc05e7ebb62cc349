//! Which endpoints answer so badly that they are left out for a while.
//!
//! It counts nothing; what was counted is passed in.

use std::time::Duration;

use crate::mesh::traffic_policy::{OutlierDetection, SuccessRate};

/// Whether one more of the endpoints may be ejected. One may always, as far as it is permitted at
/// all.
pub fn may_eject(ejected: usize, all: usize, rules: &OutlierDetection) -> bool {
    let percent = usize::from(rules.max_ejection_percent);
    percent > 0 && (ejected == 0 || (ejected + 1) * 100 <= all * percent)
}

/// For how long an endpoint is ejected, the how many-th time it is; the first is one.
pub fn time(times: u32, rules: &OutlierDetection) -> Duration {
    rules.base_ejection_time.saturating_mul(times).min(rules.max_ejection_time)
}

/// What an endpoint answered within an interval.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Answers {
    /// Requests.
    pub all: u32,
    /// Those that succeeded.
    pub good: u32,
}

/// The endpoints that succeeded far less often than the others, by their indexes.
pub fn outliers(answers: &[Answers], rules: &SuccessRate) -> Vec<usize> {
    let counts = |one: &Answers| one.all > 0 && one.all >= rules.request_volume;
    let rate = |one: &Answers| f64::from(one.good) / f64::from(one.all);
    let counted: Vec<(usize, f64)> = answers
        .iter()
        .enumerate()
        .filter(|(_, one)| counts(one))
        .map(|(index, one)| (index, rate(one)))
        .collect();
    let enough = usize::try_from(rules.minimum_hosts).unwrap_or(usize::MAX);
    let Ok(number) = u32::try_from(counted.len()) else { return Vec::new() };
    if number == 0 || counted.len() < enough {
        return Vec::new();
    }
    let mean = counted.iter().map(|(_, rate)| rate).sum::<f64>() / f64::from(number);
    let squares = counted.iter().map(|(_, rate)| (rate - mean).powi(2)).sum::<f64>();
    let deviation = (squares / f64::from(number)).sqrt();
    let least = mean - deviation * f64::from(rules.stdev_factor) / 1000.0;
    counted.into_iter().filter(|(_, rate)| *rate < least).map(|(index, _)| index).collect()
}
