//! What it costs a connection to be watched: connected and closed again between two pods, with and
//! without `--cgroup`.
//!
//! Client and server share one core, and the agent, which reads what the program tells, has the
//! other. What the kernel does for a connection it does in the name of one of the two that share.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{Settings, report::Report, stage, usage};
use crate::{
    lab::{Agent, Cgroup, Family, Lab, Process, command},
    shop::connects,
    story::shop,
};

/// What the row is called.
pub(super) const NAME: &str = "watched connection";

/// A pair of measurements, one right after the other, in microseconds of CPU time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    /// CPU time of both ends of a connection that nobody watches.
    pub(super) alone: f64,
    /// The same of one that is watched at both ends.
    pub(super) watched: f64,
    /// The agent's CPU time for a watched one.
    pub(super) agent: f64,
}

impl Pair {
    /// What being watched adds.
    pub(super) fn added(self) -> f64 {
        self.watched - self.alone
    }
}

/// Pods of a cgroup, of which one serves.
// Fields are dropped in this order.
struct Scene {
    server: Process,
    agent: Agent,
    cgroup: Cgroup,
    lab: Lab,
}

impl Scene {
    fn set() -> Result<Self> {
        let lab = shop(Lab::new(Family::V4)).without_agent().start()?;
        let cgroup = Cgroup::create(lab.name())?;
        let program = command::product("waypoint-shop")?.display().to_string();
        let listen = format!("0.0.0.0:{PORT}");
        let line = ["-c", CORE, &program, "connects", "--listen", &listen];
        let directory = lab.name().directory();
        let netns = lab.from("reviews-v1").netns()?;
        let mut server = cgroup.start(netns, ("connects", &directory), "taskset", &line)?;
        server.wait_for("listening on")?;
        let mut agent = Agent::start(lab.node(), lab.agent_settings())?;
        agent.stop()?;
        Ok(Self { server, agent, cgroup, lab })
    }

    /// Microseconds of CPU time of a connection, and of the agent's for it.
    fn measure(&mut self, is_watched: bool) -> Result<(f64, f64)> {
        self.agent.watch(is_watched.then(|| self.cgroup.path().to_owned()));
        self.agent.resume(self.lab.node())?;
        let process = self.agent.process()?.id();
        stage::pin(process)?;
        let (before, told) = (usage::cpu_time(&[process])?, self.told()?);
        let server = usage::exact_cpu_time(self.server.id())?;
        let client_us = self.connect()?;
        let server = usage::exact_cpu_time(self.server.id())?.saturating_sub(server);
        let (used, told) =
            (usage::cpu_time(&[process])?.saturating_sub(before), self.told()? - told);
        self.agent.stop()?;
        let connections = f64::from(BATCHES * connects::BATCH);
        // Each end tells of its beginning and of its end.
        let wanted = if is_watched { connections * 4.0 } else { 0.0 };
        ensure!((told - wanted).abs() <= wanted * LOST_MAX, "{told} events instead of {wanted}");
        let each = |time: Duration| time.as_secs_f64() * 1e6 / connections;
        Ok((client_us + each(server), each(used)))
    }

    /// How many events the program handed over so far.
    fn told(&self) -> Result<f64> {
        let metrics = self.agent.metrics()?;
        let count = |reason| metrics.sum(EVENTS, &[("reason", reason)]);
        Ok(count("flow_opened") + count("flow_closed") - count("flow_lost"))
    }

    fn connect(&self) -> Result<f64> {
        let program = command::product("waypoint-shop")?.display().to_string();
        let mut address = self.lab.pod_address("reviews-v1")?;
        address.set_port(PORT);
        let (address, batches) = (address.to_string(), BATCHES.to_string());
        let line = ["-c", CORE, &program, "connects", "--connect", &address, "--batches", &batches];
        let output = self.cgroup.run(self.lab.from("web").netns()?, "taskset", &line)?;
        let times: Value = serde_json::from_str(&output).context("the client's time")?;
        times.get("cpu_us").and_then(Value::as_f64).with_context(|| format!("no time in {output}"))
    }
}

/// Measures pairs, the watched one first in every other.
pub(super) fn measure(settings: &Settings, report: &mut Report) -> Result<()> {
    let mut scene = Scene::set()?;
    for number in 0..settings.rounds * PAIRS {
        let watched_first = number % 2 == 0;
        let first = scene.measure(watched_first)?;
        let second = scene.measure(!watched_first)?;
        let (watched, alone) = if watched_first { (first, second) } else { (second, first) };
        let pair = Pair { alone: alone.0, watched: watched.0, agent: watched.1 };
        eprintln!("{NAME}, pair {}: {pair:?}, {:+.2} µs", number + 1, pair.added());
        report.watched.add(pair);
    }
    Ok(())
}

/// At most so much more, in microseconds.
pub(super) const GOAL_US: f64 = 2.0;
/// Batches of connections of one measurement.
const BATCHES: u32 = 40;
/// The part of what is told that may find no room, so that what is measured is the telling.
const LOST_MAX: f64 = 0.01;
/// Pairs of one round.
const PAIRS: usize = 3;
const PORT: u16 = 7001;
/// The core of client and server, for `taskset`.
const CORE: &str = "1";
const EVENTS: &str = "waypoint_kernel_packets_total";
