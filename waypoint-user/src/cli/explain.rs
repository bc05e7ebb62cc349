//! `waypointctl explain`: why a connection does or does not take a waypoint.
//!
//! It prints what `explain` says, here or in a node's agent, which then also knows what the kernel
//! holds.

use clap::Args;

use crate::{
    explain::{Decider, Explanation, Question, Step, explain},
    mesh::object::ObjectName,
};

use super::{
    Console, Error, Format, Outcome, Table,
    admin::{self, escaped},
    reach::{self, ADMIN_PORT},
    source::Source,
};

/// Which connection, and where it is looked up.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// The pod that opens it: NAME or NAMESPACE/NAME
    #[arg(value_name = "POD")]
    client: String,
    /// What it dials: HOST:PORT, where HOST is a Service's name or an address
    #[arg(value_name = "HOST:PORT", value_parser = destination)]
    destination: (String, u16),
    /// Admin endpoint of the pod's node, ADDR:PORT or unix:PATH: its agent explains, and says what
    /// the kernel holds
    #[arg(
        long,
        value_name = "ADDRESS",
        conflicts_with_all = ["manifests", "kubeconfig", "context"]
    )]
    admin: Option<String>,
    /// Ask the agent of the pod's node, through the API server
    #[arg(long, conflicts_with_all = ["manifests", "admin"])]
    live: bool,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
    #[command(flatten)]
    source: Source,
}

/// Explains it; good if what is asked for is what happens.
pub(super) async fn run(
    arguments: &Arguments,
    console: &mut Console<'_>,
) -> Result<Outcome, Error> {
    let question = question(arguments).await?;
    let explanation = match &arguments.admin {
        Some(admin) => serde_json::from_str(&admin::page(admin, &page(&question)).await?)?,
        None if arguments.live => serde_json::from_str(&live(arguments, &question).await?)?,
        None => {
            let (snapshot, report) = arguments.source.read().await?;
            explain(&snapshot, &report, &question)?
        }
    };
    let text = match arguments.output.of(&serde_json::to_value(&explanation)?)? {
        Some(text) => text,
        None => table(&explanation),
    };
    console.out.text(&text)?;
    Ok(Outcome::good_if(explanation.is_as_asked()))
}

/// The connection that is meant; a pod without a namespace is of the one that is named, or else of
/// the context's.
async fn question(arguments: &Arguments) -> Result<Question, Error> {
    let (host, port) = arguments.destination.clone();
    let Source { connection, manifests, .. } = &arguments.source;
    let client = match (arguments.client.split_once('/'), &connection.namespace) {
        (Some((namespace, name)), _) => ObjectName::new(namespace, name),
        (None, Some(namespace)) => ObjectName::new(namespace, &arguments.client),
        (None, None) if manifests.is_some() || arguments.admin.is_some() => {
            ObjectName::new(DEFAULT_NAMESPACE, &arguments.client)
        }
        (None, None) => {
            let namespace = connection.namespace(&connection.client().await?);
            ObjectName::new(namespace, &arguments.client)
        }
    };
    Ok(Question { client, host, port })
}

/// What the agent of the client's node answers.
async fn live(arguments: &Arguments, question: &Question) -> Result<String, Error> {
    let connection = &arguments.source.connection;
    let client = connection.client().await?;
    let pod = reach::pod(&client, &question.client).await?;
    let node = pod.spec.and_then(|spec| spec.node_name).unwrap_or_default();
    let agent = reach::agent_of(&client, &connection.system_namespace, &node).await?;
    reach::page(&client, &agent, ADMIN_PORT, &page(question)).await
}

/// The page on which an agent explains it.
fn page(Question { client, host, port }: &Question) -> String {
    let (client, host) = (escaped(&client.to_string()), escaped(host));
    format!("/explain?client={client}&host={host}&port={port}")
}

/// For people.
fn table(explanation: &Explanation) -> String {
    let Explanation { client, destination, address, steps, conclusion, .. } = explanation;
    let address = address.as_ref().filter(|address| *address != destination);
    let address = address.map(|address| format!(" ({address})")).unwrap_or_default();
    let mut table = Table::new(["STEP", "RESULT", "DECIDED BY"]);
    for step in steps {
        let says = if step.amiss { format!("! {}", step.says) } else { step.says.clone() };
        table.row([step.topic.clone(), says, deciders(step)]);
    }
    format!("Pod {client} to {destination}{address}\n\n{table}\n{conclusion}\n")
}

/// The objects, each with the fields of it that decided.
fn deciders(step: &Step) -> String {
    let mut text = String::new();
    let mut last: Option<&Decider> = None;
    for decider in &step.decided_by {
        let Decider { object, field } = decider;
        let start = match last {
            Some(last) if last.object == *object => ", ".to_owned(),
            Some(_) => format!("; {object}: "),
            None if field.is_empty() => object.clone(),
            None => format!("{object}: "),
        };
        text.push_str(&start);
        text.push_str(field);
        last = Some(decider);
    }
    text
}

/// Parses `HOST:PORT`, with an IPv6 address in brackets.
fn destination(text: &str) -> Result<(String, u16), String> {
    let wrong = || format!("{text:?} is not HOST:PORT; write reviews.shop:80 or [fd00::1]:80");
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let port: u16 = port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?;
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let is_one = !host.is_empty() && (bracketed || !host.contains(':'));
    is_one.then(|| (host.to_owned(), port)).ok_or_else(wrong)
}

/// The namespace of pods that are named without one.
const DEFAULT_NAMESPACE: &str = "default";

#[cfg(test)]
mod tests;
