//! `waypointctl observe`: connections of pods, as they happen.
//!
//! It asks the agent of one node, by its admin endpoint or through the API server, and prints what
//! that tells.

use std::{io, path::PathBuf};

use clap::{Args, ValueEnum};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::{
    Connection, Console, Error, Outcome,
    admin::{self, escaped},
    connection::SYSTEM_NAMESPACE,
    reach::{self, ADMIN_PORT},
};

/// What to observe.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Admin endpoint of the node's agent: ADDR:PORT, or unix:PATH
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:15000")]
    admin: String,
    /// Node of a cluster, whose agent is asked through the API server
    #[arg(long, value_name = "NODE", conflicts_with = "admin")]
    node: Option<String>,
    /// File that says how the API server is reached; else $KUBECONFIG or ~/.kube/config
    #[arg(long, value_name = "FILE", requires = "node")]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig, if not the current one
    #[arg(long, value_name = "NAME", requires = "node")]
    context: Option<String>,
    /// Namespace that the agents run in
    #[arg(
        short = 'i',
        long,
        alias = "istioNamespace",
        value_name = "NAMESPACE",
        default_value = SYSTEM_NAMESPACE,
        hide = true
    )]
    system_namespace: String,
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
    if let Some(node) = &arguments.node {
        return of_node(arguments, node, console).await;
    }
    let refused = |cause| Error::Admin { address: arguments.admin.clone(), cause };
    let stream = admin::dial(&arguments.admin).await.map_err(refused)?;
    let stream = admin::open(stream, &path(arguments)).await.map_err(refused)?;
    follow(stream, arguments.output, refused, console).await
}

/// The same of a node of a cluster.
async fn of_node(
    arguments: &Arguments,
    node: &str,
    console: &mut Console<'_>,
) -> Result<Outcome, Error> {
    let Arguments { kubeconfig, context, system_namespace, .. } = arguments;
    let connection = Connection {
        kubeconfig: kubeconfig.clone(),
        context: context.clone(),
        ..Connection::default()
    };
    let client = connection.client().await?;
    let agent = reach::agent_of(&client, system_namespace, node).await?;
    let opened = reach::open(&client, &agent, ADMIN_PORT, &path(arguments)).await?;
    let refused = |cause| Error::Pod { pod: agent.clone(), cause };
    let reach::Opened { page, forwarder: _forwarder } = opened;
    follow(page, arguments.output, refused, console).await
}

/// Prints a page of connections until its end.
async fn follow(
    page: BufReader<admin::Connection>,
    output: Output,
    refused: impl Fn(io::Error) -> Error,
    console: &mut Console<'_>,
) -> Result<Outcome, Error> {
    let mut lines = page.lines();
    while let Some(line) = lines.next_line().await.map_err(&refused)? {
        match output {
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
