//! Times of several rounds, and what they say.

use std::fmt;

/// A way that a connection can take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Way {
    /// No program of ours is attached.
    Bare,
    /// Our programs look at it and leave it alone.
    LeftAlone,
    /// Through the waypoint.
    Captured,
}

/// Medians of rounds, by way.
#[derive(Debug, Default)]
pub struct Report(Vec<(Way, f64)>);

impl Report {
    /// Takes the median of one round, in microseconds.
    pub(super) fn add(&mut self, way: Way, time_us: f64) {
        self.0.push((way, time_us));
    }

    /// The times of a way, sorted.
    fn times(&self, way: Way) -> Vec<f64> {
        let mut times: Vec<_> =
            self.0.iter().filter(|(of, _)| *of == way).map(|(_, time)| *time).collect();
        times.sort_by(f64::total_cmp);
        times
    }

    fn median(&self, way: Way) -> f64 {
        let times = self.times(way);
        times.get(times.len() / 2).copied().unwrap_or_default()
    }

    /// From the fastest round to the slowest.
    fn spread(&self, way: Way) -> (f64, f64) {
        let times = self.times(way);
        let end = |time: Option<&f64>| time.copied().unwrap_or_default();
        (end(times.first()), end(times.last()))
    }

    /// True when the medians of two ways differ by no more than rounds of one of them do.
    fn is_within_spread(&self, one: Way, other: Way) -> bool {
        let width = |way| {
            let (fastest, slowest) = self.spread(way);
            slowest - fastest
        };
        (self.median(one) - self.median(other)).abs() <= width(one).max(width(other))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "| connection | p50 | fastest and slowest round |\n|---|---|---|")?;
        for (way, name) in NAMES {
            let (median, (fastest, slowest)) = (self.median(*way), self.spread(*way));
            writeln!(out, "| {name} | {median:.1} µs | {fastest:.1} to {slowest:.1} µs |")?;
        }
        let cost = self.median(Way::LeftAlone) - self.median(Way::Bare);
        let verdict =
            if self.is_within_spread(Way::Bare, Way::LeftAlone) { "within" } else { "beyond" };
        write!(out, "\nBeing left alone costs {cost:+.1} µs, {verdict} the spread of the rounds.")
    }
}

const NAMES: &[(Way, &str)] = &[
    (Way::Bare, "straight, none of our programs attached"),
    (Way::LeftAlone, "straight, looked at and left alone"),
    (Way::Captured, "captured, through the waypoint as opaque TCP"),
];

#[cfg(test)]
mod tests;
