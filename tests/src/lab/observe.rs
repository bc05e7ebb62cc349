//! What happened to a call: asserted from the answer, the kernel's counters, the access log and the
//! metrics together.

use std::net::{IpAddr, TcpStream};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    Lab,
    address::Addresses,
    client::{Call, Place},
    daemon::Daemon,
    http::Reply,
    metrics::Metrics,
    wait::{self, SOON},
};

/// A call that a waypoint handled.
#[derive(Debug)]
pub struct Visit {
    /// What the client got.
    pub reply: Reply,
    /// The access log's line about it.
    pub line: Value,
}

impl Visit {
    /// A field of the access log's line, as text.
    pub fn logged(&self, field: &str) -> String {
        match self.line.get(field) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }
}

impl Lab {
    /// Sends a call that must stay in the kernel, and succeed: the server sees the client itself;
    /// no counter of captured connections, no line of the access log and no metric of requests
    /// moves.
    pub fn direct(&self, call: &Call<'_>) -> Result<Reply> {
        let before = self.seen()?;
        let reply = call.send()?;
        ensure!(reply.status == 200, "{call}: {} {}", reply.status, reply.text());
        let (peer, client) = (reply.server_saw_peer()?, self.address_of(call)?);
        ensure!(peer == client, "{call}: the server saw {peer} instead of the client {client}");
        let after = self.seen()?;
        ensure!(before == after, "{call} was not left alone: {before:?} became {after:?}");
        Ok(reply)
    }

    /// Sends a call that a waypoint must handle: the kernel captured one connection, the access log
    /// has one line more, which agrees with the answer, and so does `istio_requests_total`. Where a
    /// shop server answered, it was dialled by the node.
    pub fn through_waypoint(&self, call: &Call<'_>) -> Result<Visit> {
        let before = self.seen()?;
        let metrics = self.agent()?.metrics()?;
        let reply = call.send()?;
        let line = self.line_after(before.lines, call)?;
        let path = line.get("path").and_then(Value::as_str);
        ensure!(path == Some(&call.request().path), "{call} logged as {line}");
        let captured = self.seen()?.captured - before.captured;
        ensure!(captured == 1, "{call}: {captured} connections captured");
        let code = line.get("response_code").and_then(Value::as_u64);
        ensure!(code == Some(reply.status.into()), "{call}: {} but logged {line}", reply.status);
        let status = reply.status.to_string();
        let labels = [&labels_of(call, &line)[..], &[("response_code", &status)]].concat();
        self.counted_once(REQUESTS, &metrics, &labels)?;
        if reply.status == 200
            && let Ok(peer) = reply.server_saw_peer()
        {
            let node = Addresses::NODE.of(self.family);
            let bridge = Addresses::of_bridge(1).of(self.family);
            ensure!([node, bridge].contains(&peer), "{call}: the server was dialled by {peer}");
        }
        Ok(Visit { reply, line })
    }

    /// Opens a connection that a waypoint must handle without knowing its protocol, and uses it.
    /// The kernel captured one connection, the access log has one line more, without method or
    /// status, and one connection was opened and closed, by the metrics.
    pub fn opaque_through_waypoint(
        &self,
        call: &Call<'_>,
        talk: impl FnOnce(TcpStream) -> Result<()>,
    ) -> Result<Value> {
        let before = self.seen()?;
        let metrics = self.agent()?.metrics()?;
        talk(call.connect()?)?;
        let line = self.line_after(before.lines, call)?;
        let captured = self.seen()?.captured - before.captured;
        ensure!(captured == 1, "{call}: {captured} connections captured");
        let no_method = line.get("method").and_then(Value::as_str) == Some("-");
        ensure!(no_method, "{call}: logged as a request: {line}");
        for family in [CONNECTIONS, CONNECTIONS_CLOSED] {
            self.counted_once(family, &metrics, &labels_of(call, &line))?;
        }
        Ok(line)
    }

    /// How often the kernel did something to a packet of a pod, by the reason's name.
    pub fn kernel_counter(&self, reason: &str) -> Result<u64> {
        Ok(count(&self.agent()?.metrics()?, reason))
    }

    /// Waits until a metric's samples with these labels add up to a number.
    pub fn wait_for_sum(&self, name: &str, labels: &[(&str, &str)], wanted: u64) -> Result<()> {
        let mut sum = 0;
        let reached = wait::until_true(&format!("{wanted} {name}{labels:?}"), SOON, || {
            sum = whole(self.agent()?.metrics()?.sum(name, labels));
            Ok(sum == wanted)
        });
        reached.with_context(|| format!("it is {sum}"))
    }

    /// Waits for a line of the access log.
    pub fn wait_for_line(&self, what: &str, matches: impl Fn(&Value) -> bool) -> Result<Value> {
        wait::until(&format!("access log line: {what}"), SOON, || {
            Ok(self.agent()?.access_log()?.into_iter().find(&matches))
        })
    }

    /// The generations of manifests that are in force in each process that runs.
    pub(super) fn generation(&self) -> Result<Vec<Option<f64>>> {
        self.daemons().filter(|daemon| daemon.is_running()).map(Daemon::generation).collect()
    }

    /// Waits until an edit that was made after these generations is in force everywhere.
    pub(super) fn settled_after(&self, before: Vec<Option<f64>>) -> Result<()> {
        let running = self.daemons().filter(|daemon| daemon.is_running());
        if let Some(expectation) = self.manifests.expectation() {
            for daemon in running {
                daemon.wait_until_read(&expectation)?;
            }
            return Ok(());
        }
        for (daemon, before) in running.zip(before) {
            let Some(before) = before else { continue };
            let what = format!("manifests in force in {}", daemon.name());
            wait::until_true(&what, SOON, || Ok(daemon.generation()? > Some(before)))
                .with_context(|| daemon.last_words(20))?;
        }
        Ok(())
    }

    fn seen(&self) -> Result<Seen> {
        let agent = self.agent()?;
        let metrics = agent.metrics()?;
        Ok(Seen {
            captured: count(&metrics, "captured"),
            lines: agent.access_log()?.len(),
            requests: whole(metrics.sum(REQUESTS, &[])),
            connections: whole(metrics.sum(CONNECTIONS, &[])),
        })
    }

    fn line_after(&self, lines: usize, call: &Call<'_>) -> Result<Value> {
        let line = wait::until("access log line", SOON, || {
            Ok(self.agent()?.access_log()?.into_iter().nth(lines))
        });
        line.with_context(|| format!("{call} left no line"))
    }

    fn counted_once(&self, name: &str, before: &Metrics, labels: &[(&str, &str)]) -> Result<()> {
        self.wait_for_sum(name, labels, whole(before.sum(name, labels)) + 1)
    }

    pub(super) fn address_of(&self, call: &Call<'_>) -> Result<IpAddr> {
        match call.client.place {
            Place::Node(name) => Ok(self.nodes.named(name)?.addresses.of(self.family)),
            Place::Pod(name) => Ok(self.inhabitant(name)?.addresses.of(self.family)),
        }
    }
}

/// The labels by which metrics know a call: its client, and the Service that the access log names
/// as the one it was sent on to, else as the one that was dialled.
pub(super) fn labels_of<'c>(call: &'c Call<'_>, line: &'c Value) -> Vec<(&'static str, &'c str)> {
    let mut labels = vec![("reporter", "waypoint")];
    if let Place::Pod(name) = call.client.place {
        labels.push(("source_workload", name));
    }
    let field = |name| line.get(name).and_then(Value::as_str).unwrap_or_default();
    let sent_to = field("upstream_cluster").rsplit('|').next().unwrap_or_default();
    if let Some((first, rest)) = sent_to.split_once('.') {
        let inside = rest.ends_with(".svc.cluster.local");
        labels.push(("destination_service", sent_to));
        labels.push(("destination_service_name", if inside { first } else { sent_to }));
    } else if let Some((_, name)) = field("destination_service").split_once('/') {
        labels.push(("destination_service_name", name));
    }
    labels
}

/// What moves when a waypoint handles something.
#[derive(Debug, Eq, PartialEq)]
struct Seen {
    captured: u64,
    lines: usize,
    requests: u64,
    connections: u64,
}

pub(super) fn count(metrics: &Metrics, reason: &str) -> u64 {
    whole(metrics.sum(KERNEL, &[("reason", reason)]))
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counters are whole")]
pub(super) fn whole(value: f64) -> u64 {
    value as u64
}

const KERNEL: &str = "waypoint_kernel_packets_total";
pub(super) const REQUESTS: &str = "istio_requests_total";
const CONNECTIONS: &str = "istio_tcp_connections_opened_total";
const CONNECTIONS_CLOSED: &str = "istio_tcp_connections_closed_total";
