//! A process of its own that follows the cluster, and says what came into force when.
//!
//! It decides nothing: whoever started it compares times.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use waypoint_user::{mesh::object::ObjectName, sync::cluster::Scope};

/// As what the cluster is followed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// The agent of a node, with its data path.
    Agent,
    /// A pod of a waypoint, with its engine.
    Waypoint,
    /// The controller, as far as it reads.
    Controller,
}

impl Role {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Agent, Self::Waypoint, Self::Controller];

    /// Its name, on the command line and in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Waypoint => "waypoint",
            Self::Controller => "controller",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// What of the cluster it reads.
    pub(super) fn scope(self) -> Scope {
        match self {
            Self::Agent => Scope::Node(NODE.to_owned()),
            Self::Waypoint => Scope::Waypoint(ObjectName::new(WAYPOINT_NAMESPACE, "waypoint")),
            Self::Controller => Scope::Whole,
        }
    }
}

/// When a change came into force.
#[derive(Debug)]
pub(super) struct Seen {
    /// By the clock.
    pub(super) at: SystemTime,
    /// Since the watch delivered it.
    pub(super) since_delivery: Duration,
}

/// The process, as whoever started it sees it.
pub(super) struct Follower {
    role: Role,
    child: Child,
    lines: BufReader<ChildStdout>,
    first: Duration,
}

impl Follower {
    /// Starts one and waits until the first Snapshot is in force.
    pub(super) fn start(role: Role, kubeconfig: &Path) -> Result<Self> {
        let own = std::env::current_exe()?;
        let mut command = Command::new(own);
        command.args(["--follow", role.name(), "--kubeconfig"]).arg(kubeconfig);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let lines = BufReader::new(child.stdout.take().context("no output")?);
        let mut follower = Self { role, child, lines, first: Duration::ZERO };
        let ready = follower.line()?;
        follower.first = micros(&ready, "first_us");
        Ok(follower)
    }

    /// How long the first Snapshot took.
    pub(super) fn first(&self) -> Duration {
        self.first
    }

    /// Waits until a Service is bound, or is not.
    pub(super) fn wait_for(&mut self, service: &str, is_bound: bool) -> Result<Seen> {
        loop {
            let line = self.line()?;
            let is_of = line.get("service").and_then(Value::as_str) == Some(service);
            if is_of && line.get("is_bound").and_then(Value::as_bool) == Some(is_bound) {
                let at = UNIX_EPOCH + micros(&line, "at_us");
                return Ok(Seen { at, since_delivery: micros(&line, "delivery_us") });
            }
        }
    }

    /// The bytes that it holds.
    pub(super) fn memory(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next());
        Ok(kilobytes.context("no VmRSS")?.parse::<u64>()? * 1024)
    }

    /// The CPU time that it took so far.
    pub(super) fn cpu(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = stat.rsplit_once(')').context("no name in stat")?;
        let ticks: u64 = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|ticks| ticks.parse::<u64>().unwrap_or_default())
            .sum();
        Ok(Duration::from_millis(ticks * 10))
    }

    fn line(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.lines.read_line(&mut line)? == 0 {
            bail!("the {} ended", self.role.name());
        }
        Ok(serde_json::from_str(&line)?)
    }
}

/// A number of microseconds in a line.
fn micros(line: &Value, key: &str) -> Duration {
    Duration::from_micros(line.get(key).and_then(Value::as_u64).unwrap_or_default())
}

impl Drop for Follower {
    fn drop(&mut self) {
        // It ends when nobody writes to it any more, and leaves the host as it was.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The agent's node.
pub(super) const NODE: &str = "node-7";
/// Where the waypoint is.
pub(super) const WAYPOINT_NAMESPACE: &str = "waypoints";
