//! What was measured, as a table and for programs.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use anyhow::Result;
use serde_json::{Value, json};

use super::{
    follower::{Role, Seen},
    machine,
    times::Times,
};

/// Everything that was measured.
#[derive(Debug)]
pub struct Report {
    machine: String,
    load: f64,
    rows: Vec<Row>,
}

impl Report {
    /// Nothing yet, on this machine.
    pub(super) fn new() -> Result<Self> {
        Ok(Self { machine: machine::describe()?, load: machine::load()?, rows: Vec::new() })
    }

    pub(super) fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        let rows: Vec<Value> = self.rows.iter().map(Row::json).collect();
        json!({"machine": self.machine, "load_before": self.load, "rows": rows})
    }
}

/// One role in one cluster.
#[derive(Debug)]
pub(super) struct Row {
    role: Role,
    pods: usize,
    first: Duration,
    /// The bytes that it held in a cluster without pods, and in this one.
    memory: (u64, u64),
    since_request: Times,
    since_answer: Times,
    since_delivery: Times,
    cpu: Duration,
}

impl Row {
    /// What is known before anything changes.
    pub(super) fn new(role: Role, pods: usize, first: Duration, bare: u64) -> Self {
        Self {
            role,
            pods,
            first,
            memory: (bare, bare),
            since_request: Times::default(),
            since_answer: Times::default(),
            since_delivery: Times::default(),
            cpu: Duration::ZERO,
        }
    }

    /// Takes one change.
    pub(super) fn took(&mut self, seen: &Seen, asked: SystemTime, answered: SystemTime) {
        let since = |then: SystemTime| seen.at.duration_since(then).unwrap_or_default();
        self.since_request.add(since(asked));
        self.since_answer.add(since(answered));
        self.since_delivery.add(seen.since_delivery);
    }

    /// Takes the CPU time of all changes, and the bytes that it holds after them.
    pub(super) fn spent(&mut self, cpu: Duration, memory: u64) {
        self.cpu = cpu;
        self.memory.1 = memory;
    }

    /// CPU milliseconds of one change.
    fn cpu_ms(&self) -> f64 {
        let changes = u32::try_from(self.since_request.count()).unwrap_or(1).max(1);
        (self.cpu / changes).as_secs_f64() * 1000.0
    }

    fn bytes_per_pod(&self) -> u64 {
        let (bare, full) = self.memory;
        full.saturating_sub(bare) / u64::try_from(self.pods).unwrap_or(1).max(1)
    }

    fn json(&self) -> Value {
        json!({
            "pods": self.pods,
            "role": self.role.name(),
            "changes": self.since_request.count(),
            "since_request_ms": self.since_request.json(),
            "since_answer_ms": self.since_answer.json(),
            "since_delivery_ms": self.since_delivery.json(),
            "cpu_ms_per_change": self.cpu_ms(),
            "first_snapshot_ms": self.first.as_secs_f64() * 1000.0,
            "rss_bytes_without_pods": self.memory.0,
            "rss_bytes": self.memory.1,
            "bytes_per_pod": self.bytes_per_pod(),
        })
    }
}

impl fmt::Display for Row {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "| {} | {} | {} | {} | {:.1} | {:.2} | {} | {} |",
            self.pods,
            self.role.name(),
            self.since_request.text(),
            self.since_delivery.text(),
            self.cpu_ms(),
            self.first.as_secs_f64(),
            self.memory.1 >> 20,
            self.bytes_per_pod(),
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}; load before: {}.\n", self.machine, self.load)?;
        writeln!(out, "{HEADING}")?;
        self.rows.iter().try_for_each(|row| writeln!(out, "{row}"))
    }
}

const HEADING: &str = "\
| pods | who | since the request, ms: p50 / p99 / max | since the watch told, ms \
| CPU ms per change | first Snapshot, s | RSS, MiB | bytes per pod |
|---|---|---|---|---|---|---|---|";
