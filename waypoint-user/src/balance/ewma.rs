//! How soon an endpoint is expected to answer: an average that forgets, and jumps at peaks.
//!
//! Time is a length since any moment, the same for all calls.

use std::time::Duration;

/// What is expected of an endpoint.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expectation {
    /// Seconds; nothing was seen yet where it is zero.
    latency: f64,
    at: Duration,
}

impl Expectation {
    /// Learns from an answer that took so long.
    pub fn learn(&mut self, took: Duration, now: Duration) {
        let took = took.as_secs_f64();
        self.latency = if took >= self.latency {
            took
        } else {
            let kept = kept(now.saturating_sub(self.at));
            self.latency * kept + took * (1.0 - kept)
        };
        self.at = now;
    }

    /// What a request costs that joins so many others. An endpoint of which nothing is known gets
    /// one request, and then no other before that is answered.
    pub fn cost(&self, waiting: f64, now: Duration) -> f64 {
        if self.latency == 0.0 {
            return waiting * UNKNOWN;
        }
        self.latency * kept(now.saturating_sub(self.at)) * (waiting + 1.0)
    }
}

/// How much of what was known counts after a while.
fn kept(passed: Duration) -> f64 {
    (-passed.as_secs_f64() / MEMORY.as_secs_f64()).exp()
}

/// After this time, what was known counts for a third.
const MEMORY: Duration = Duration::from_secs(10);
/// The cost of waiting at an endpoint of which nothing is known, in seconds.
const UNKNOWN: f64 = 1e6;
