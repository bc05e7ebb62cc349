//! What was measured, as a table.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use super::follower::{Role, Seen};

/// Everything that was measured.
#[derive(Debug, Default)]
pub struct Report(Vec<Row>);

impl Report {
    pub(super) fn add(&mut self, row: Row) {
        self.0.push(row);
    }
}

/// One role in one cluster.
#[derive(Debug)]
pub(super) struct Row {
    role: Role,
    pods: usize,
    first: Duration,
    memory: u64,
    since_answer: Vec<Duration>,
    since_request: Vec<Duration>,
    since_delivery: Vec<Duration>,
    cpu: Duration,
}

impl Row {
    /// What is known before anything changes.
    pub(super) fn new(role: Role, pods: usize, first: Duration, memory: u64) -> Self {
        Self {
            role,
            pods,
            first,
            memory,
            since_answer: Vec::new(),
            since_request: Vec::new(),
            since_delivery: Vec::new(),
            cpu: Duration::ZERO,
        }
    }

    /// Takes one change.
    pub(super) fn took(&mut self, seen: &Seen, asked: SystemTime, answered: SystemTime) {
        let since = |then: SystemTime| seen.at.duration_since(then).unwrap_or_default();
        self.since_answer.push(since(answered));
        self.since_request.push(since(asked));
        self.since_delivery.push(seen.since_delivery);
    }

    /// Takes the CPU time of all changes.
    pub(super) fn spent(&mut self, cpu: Duration) {
        self.cpu = cpu;
    }
}

/// The median and the 99th percentile, in milliseconds.
fn percentiles(times: &[Duration]) -> String {
    let mut sorted = times.to_vec();
    sorted.sort();
    let at = |of_hundred: usize| {
        let place = (sorted.len() * of_hundred / 100).min(sorted.len().saturating_sub(1));
        sorted.get(place).map_or(0.0, Duration::as_secs_f64) * 1000.0
    };
    format!("{:.1} / {:.1}", at(50), at(99))
}

impl fmt::Display for Row {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changes = u32::try_from(self.since_answer.len()).unwrap_or(1).max(1);
        write!(
            out,
            "| {} | {} | {} | {} | {} | {:.1} | {:.2} | {} |",
            self.pods,
            self.role.name(),
            percentiles(&self.since_request),
            percentiles(&self.since_answer),
            percentiles(&self.since_delivery),
            (self.cpu / changes).as_secs_f64() * 1000.0,
            self.first.as_secs_f64(),
            self.memory / u64::try_from(self.pods).unwrap_or(1).max(1),
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "Milliseconds are p50 / p99, until the change is in force.\n")?;
        writeln!(
            out,
            "| pods | who | since the request | since its answer | since the watch told | CPU ms \
             per change | first Snapshot, s | bytes per pod |\n|---|---|---|---|---|---|---|---|"
        )?;
        self.0.iter().try_for_each(|row| writeln!(out, "{row}"))
    }
}
