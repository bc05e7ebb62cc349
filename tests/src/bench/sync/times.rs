//! Times of many changes, and what they say together.

use std::time::Duration;

use serde_json::{Value, json};

/// Times of many changes.
#[derive(Debug, Default)]
pub(super) struct Times(Vec<Duration>);

impl Times {
    /// Takes one.
    pub(super) fn add(&mut self, time: Duration) {
        let place = self.0.partition_point(|known| *known <= time);
        self.0.insert(place, time);
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// The time that so many of a hundred do not exceed, in milliseconds.
    fn of_hundred(&self, share: usize) -> f64 {
        let place = (self.0.len() * share).div_ceil(100).saturating_sub(1);
        self.0.get(place).map_or(0.0, Duration::as_secs_f64) * 1000.0
    }

    /// Half of them, 99 of a hundred, and all.
    pub(super) fn text(&self) -> String {
        let [half, most, all] = SHARES.map(|share| self.of_hundred(share));
        format!("{half:.1} / {most:.1} / {all:.1}")
    }

    /// The same.
    pub(super) fn json(&self) -> Value {
        let [half, most, all] = SHARES.map(|share| self.of_hundred(share));
        json!({"p50": half, "p99": most, "max": all})
    }
}

const SHARES: [usize; 3] = [50, 99, 100];

#[cfg(test)]
mod tests;
