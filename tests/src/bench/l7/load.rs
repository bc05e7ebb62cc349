//! What a client process is asked to do, and what it says it saw.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

/// What the clients do.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Shape {
    /// HTTP/1.1: the next request of a connection when the last was answered.
    Http1,
    /// The same at a fixed rate, whatever the answers take.
    Paced,
    /// HTTP/2: the next request of a stream when the last was answered.
    Http2,
    /// HTTP/1.1: large answers, which are counted by their bytes.
    Bulk,
    /// HTTP/1.1: a connection for each request.
    Fresh,
    /// One request on each connection, and then nothing.
    Idle,
    /// HTTP/1.1: connections that are reset before they are answered, or while they are.
    Abort,
}

/// What carries HTTP/1.1.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Carrier {
    /// TCP.
    Plain,
    /// Mutual TLS.
    Tls,
    /// A tunnel of HBONE in each connection.
    Hbone,
}

/// One measurement, as a client process is told of it.
#[derive(Args, Clone, Debug)]
pub struct Load {
    /// What to do.
    #[arg(long, value_enum)]
    pub shape: Shape,
    /// What carries HTTP/1.1.
    #[arg(long, value_enum, default_value = "plain")]
    pub carrier: Carrier,
    /// Where to.
    #[arg(long, value_name = "ADDR:PORT")]
    pub connect: SocketAddr,
    /// The host of requests, and the destination of tunnels.
    #[arg(long, value_name = "ADDR:PORT")]
    pub host: SocketAddr,
    /// How many connections.
    #[arg(long)]
    pub connections: usize,
    /// Streams of each connection of HTTP/2.
    #[arg(long, default_value_t = 1)]
    pub streams: usize,
    /// Requests a second, of a paced load.
    #[arg(long, default_value_t = 0)]
    pub rate: u32,
    /// The path that is asked for.
    #[arg(long, default_value = "/bench")]
    pub path: String,
    /// The value of the header x-tenant, if it is sent.
    #[arg(long)]
    pub tenant: Option<String>,
    /// Milliseconds before anything counts.
    #[arg(long, default_value_t = 1000)]
    pub warm_up: u64,
    /// Milliseconds that count.
    #[arg(long, default_value_t = 4000)]
    pub period: u64,
    /// Directory of chain.pem, key.pem and root.pem, where identities are proven.
    #[arg(long)]
    pub credentials: Option<PathBuf>,
    /// Who the other side has to be.
    #[arg(long)]
    pub identity: Option<String>,
    /// The proxy's process.
    #[arg(long)]
    pub proxy: Option<u32>,
    /// The backend's process.
    #[arg(long)]
    pub backend: u32,
}

impl Load {
    /// The command line that says the same.
    pub(super) fn arguments(&self) -> Vec<String> {
        let shape = named(&self.shape);
        let carrier = named(&self.carrier);
        let mut line = vec![
            ("--shape", shape),
            ("--carrier", carrier),
            ("--connect", self.connect.to_string()),
            ("--host", self.host.to_string()),
            ("--connections", self.connections.to_string()),
            ("--streams", self.streams.to_string()),
            ("--rate", self.rate.to_string()),
            ("--path", self.path.clone()),
            ("--warm-up", self.warm_up.to_string()),
            ("--period", self.period.to_string()),
            ("--backend", self.backend.to_string()),
        ];
        line.extend(self.tenant.clone().map(|tenant| ("--tenant", tenant)));
        let folder = self.credentials.as_ref().map(|folder| folder.display().to_string());
        line.extend(folder.map(|folder| ("--credentials", folder)));
        line.extend(self.identity.clone().map(|identity| ("--identity", identity)));
        line.extend(self.proxy.map(|process| ("--proxy", process.to_string())));
        line.into_iter().flat_map(|(option, value)| [option.to_owned(), value]).collect()
    }

    /// The head of every request.
    pub(super) fn request(&self) -> String {
        let (path, host) = (&self.path, self.host);
        let tenant = self.tenant.as_ref().map(|tenant| format!("{TENANT}: {tenant}\r\n"));
        let tenant = tenant.unwrap_or_default();
        let close = if self.shape == Shape::Fresh { "connection: close\r\n" } else { "" };
        format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: bench\r\n{tenant}{close}\r\n")
    }

    /// How long nothing counts yet.
    pub(super) fn warm_up(&self) -> Duration {
        Duration::from_millis(self.warm_up)
    }

    /// How long everything counts.
    pub(super) fn period(&self) -> Duration {
        Duration::from_millis(self.period)
    }
}

/// What a measurement said.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// The proxy's CPU time for a request, in microseconds.
    pub cpu_us: f64,
    /// The same of client, proxy and backend together.
    pub machine_us: f64,
    /// Requests a second.
    pub rate: f64,
    /// The median latency, in microseconds.
    pub p50_us: f64,
    /// One in a hundred is slower.
    pub p99_us: f64,
    /// The proxy's resident memory, in KiB; of an idle load before there was a connection.
    pub rss_kib: f64,
    /// What each connection added to that, of an idle load.
    pub each_kib: f64,
}

/// A figure of what was seen, and its name in JSON.
pub(super) type Figure = (&'static str, fn(&mut Seen) -> &mut f64);

/// Every figure.
pub(super) const FIGURES: [Figure; 7] = [
    ("cpu_us", |seen| &mut seen.cpu_us),
    ("machine_us", |seen| &mut seen.machine_us),
    ("requests_per_second", |seen| &mut seen.rate),
    ("p50_us", |seen| &mut seen.p50_us),
    ("p99_us", |seen| &mut seen.p99_us),
    ("rss_kib", |seen| &mut seen.rss_kib),
    ("kib_per_connection", |seen| &mut seen.each_kib),
];

impl Seen {
    /// As a client process says it.
    pub fn told(mut self) -> Value {
        FIGURES.iter().map(|(name, of)| ((*name).to_owned(), json!(of(&mut self)))).collect()
    }

    /// What a client process said last.
    pub(super) fn read(output: &str) -> Result<Self> {
        let last = output.lines().last().context("the client said nothing")?;
        let told: Value = serde_json::from_str(last)?;
        let mut seen = Self::default();
        for (name, of) in FIGURES {
            let figure = told.get(name).and_then(Value::as_f64);
            *of(&mut seen) = figure.with_context(|| format!("no {name} in {last}"))?;
        }
        Ok(seen)
    }
}

fn named(value: &impl ValueEnum) -> String {
    let value = value.to_possible_value();
    value.map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// The header by which some routes tell requests apart.
pub(super) const TENANT: &str = "x-tenant";

#[cfg(test)]
mod tests;
