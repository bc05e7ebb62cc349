//! `waypointctl observe`: connections of pods, as they happen.
//!
//! It asks the agent of one node by its admin endpoint, and prints what that tells.

use clap::{Args, ValueEnum};
use serde_json::Value;
use tokio::io::AsyncBufReadExt;

use super::{
    Console, Error, Outcome,
    admin::{self, escaped},
};

/// What to observe.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Admin endpoint of the node's agent: ADDR:PORT, or unix:PATH
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:15000")]
    admin: String,
    /// Only connections with an end in this namespace
    #[arg(long, short)]
    namespace: Option<String>,
    /// Only connections of this pod: NAME or NAMESPACE/NAME
    #[arg(long)]
    pod: Option<String>,
    /// Only connections addressed to this Service: NAME or NAMESPACE/NAME
    #[arg(long)]
    service: Option<String>,
    /// What a connection looks like
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// What a connection looks like.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Output {
    /// A line for people.
    Text,
    /// A JSON object a line.
    Json,
}

/// Prints connections until the agent ends or nobody reads any more.
pub async fn run(arguments: &Arguments, console: &mut Console<'_>) -> Result<Outcome, Error> {
    let refused = |cause| Error::Admin { address: arguments.admin.clone(), cause };
    let stream = admin::dial(&arguments.admin).await.map_err(refused)?;
    let stream = admin::open(stream, &path(arguments)).await.map_err(refused)?;
    let mut lines = stream.lines();
    while let Some(line) = lines.next_line().await.map_err(refused)? {
        match arguments.output {
            Output::Json => console.out.line(line)?,
            Output::Text => console.out.line(text(&line))?,
        }
    }
    Ok(Outcome::Good)
}

/// The page, with what chooses.
fn path(arguments: &Arguments) -> String {
    let Arguments { namespace, pod, service, .. } = arguments;
    let pairs = [("namespace", namespace), ("pod", pod), ("service", service)];
    let chosen = pairs
        .into_iter()
        .filter_map(|(key, value)| value.as_ref().map(|value| format!("{key}={}", escaped(value))));
    format!("/flows?{}", chosen.collect::<Vec<_>>().join("&"))
}

/// A connection as a line for people.
fn text(line: &str) -> String {
    let Ok(value) = serde_json::from_str::<Value>(line) else { return line.to_owned() };
    if let Some(missed) = value.get("missed") {
        return format!("-- {missed} connections were missed --");
    }
    let word = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or("-").to_owned();
    let number = |key: &str| value.get(key).and_then(Value::as_u64).unwrap_or_default();
    let path = match value.get("waypoint").and_then(Value::as_str) {
        Some(waypoint) => format!("{} {waypoint}", word("path")),
        None => word("path"),
    };
    let (source, destination) = (end(value.get("source")), end(value.get("destination")));
    let opened = format!("{} {} {source} -> {destination} {path}", word("time"), word("event"));
    if word("event") == "opened" {
        return opened;
    }
    format!(
        "{opened} {} sent={} received={} rtt={}us retransmissions={}",
        lasted(number("duration_us")),
        number("bytes_sent"),
        number("bytes_received"),
        number("rtt_us"),
        number("retransmissions"),
    )
}

/// An end by the best name it has, and its address.
fn end(end: Option<&Value>) -> String {
    let field = |key: &str| end.and_then(|end| end.get(key)).and_then(Value::as_str);
    let address = field("address").unwrap_or("-");
    match field("service").or_else(|| field("pod")) {
        Some(name) => format!("{name} ({address})"),
        None => address.to_owned(),
    }
}

/// A time as people read it.
fn lasted(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros}us"),
        1_000..1_000_000 => format!("{}.{}ms", micros / 1_000, micros % 1_000 / 100),
        _ => format!("{}.{}s", micros / 1_000_000, micros % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests;
