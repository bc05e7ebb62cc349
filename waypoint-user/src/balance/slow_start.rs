//! How much of its part an endpoint gets while it is new.
//!
//! It does not know since when one is there.

use std::time::Duration;

use crate::mesh::traffic_policy::SlowStart;

use super::FULL;

/// The share of an endpoint of this age, in thousandths; a tenth at first.
pub fn share(age: Duration, slow: &SlowStart) -> u32 {
    if age >= slow.window {
        return FULL;
    }
    let part = age.as_secs_f64() / slow.window.as_secs_f64();
    let exponent = 1000.0 / f64::from(slow.aggression.max(1));
    let share = part.powf(exponent) * f64::from(FULL);
    #[expect(clippy::cast_possible_truncation, reason = "it is between 0 and a thousand")]
    #[expect(clippy::cast_sign_loss, reason = "it is between 0 and a thousand")]
    let share = share.round() as u32;
    share.clamp(LEAST, FULL)
}

/// The share of an endpoint that has just come, in thousandths.
const LEAST: u32 = 100;
