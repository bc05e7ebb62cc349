//! The admin page that explains connections: what was decided of them, and in a node's process also
//! what the kernel holds.
//!
//! It decides nothing; `explain` says why, and the maps say what is.

use std::{net::SocketAddr, sync::Arc};

use crate::{
    explain::{Decider, Explanation, Question, Step, explain},
    kernel::lookup::{Client, Entry, Held, Lookup},
    mesh::{object::ObjectName, snapshot::Snapshot},
    sync::Feed,
    telemetry::admin::{self, query::value},
};

/// The page; with a way to look into the kernel, if the process has one.
pub(super) fn explanations(feed: &Feed, lookup: Option<Lookup>) -> admin::Question {
    let (snapshots, reports) = (feed.snapshots.clone(), feed.reports.clone());
    let answer = move |query: &str| {
        let question = question(query)?;
        let snapshot = Arc::clone(&snapshots.borrow());
        let report = Arc::clone(&reports.borrow());
        let explained = explain(&snapshot, &report, &question);
        let mut explained = explained.map_err(|unknown| unknown.to_string())?;
        if let Some(lookup) = &lookup {
            let steps = in_kernel(&snapshot, &question, &explained, lookup);
            explained.steps.extend(steps);
        }
        serde_json::to_string_pretty(&explained).map_err(|error| error.to_string())
    };
    admin::Question {
        path: "/explain",
        about: "why a connection takes a waypoint or not; ?client=NS/POD&host=&port=",
        answer: Box::new(answer),
    }
}

fn question(query: &str) -> Result<Question, String> {
    let word = |key: &str| value(query, key).ok_or_else(|| format!("{key}= is missing"));
    let client = word("client")?;
    let (namespace, name) = client.split_once('/').ok_or("client= is not NAMESPACE/POD")?;
    let port = word("port")?.parse().map_err(|_| "port= is no port")?;
    Ok(Question { client: ObjectName::new(namespace, name), host: word("host")?, port })
}

/// What the kernel holds for the connection, if it has an address.
fn in_kernel(
    snapshot: &Snapshot,
    question: &Question,
    explained: &Explanation,
    lookup: &Lookup,
) -> Vec<Step> {
    let address = explained.address.as_ref().and_then(|text| text.parse::<SocketAddr>().ok());
    let client = snapshot.workloads().get(&question.client);
    let (Some(address), Some(client)) = (address, client) else { return Vec::new() };
    let asked = explained.asked.as_ref().and_then(|name| name.split_once('/'));
    let waypoint = asked.map(|(namespace, name)| ObjectName::new(namespace, name));
    match lookup.of(&client.addresses, address, waypoint.as_ref()) {
        Ok(held) => said(&held, address, waypoint.as_ref()),
        Err(error) => vec![step(format!("cannot be asked: {error}"), "", true)],
    }
}

/// In words.
fn said(held: &Held, address: SocketAddr, waypoint: Option<&ObjectName>) -> Vec<Step> {
    let of_client = match held.client {
        Client::None => step("holds no pod of this node with the client's address", "pod_if", true),
        Client::Behind { ifindex, looked_at: true } => {
            step(format!("looks at new connections from interface {ifindex}"), "if_pod", false)
        }
        Client::Behind { ifindex, looked_at: false } => {
            step(format!("leaves connections from interface {ifindex} alone"), "if_pod", true)
        }
    };
    let of_destination = match held.destination {
        Entry::None => step(format!("holds nothing for {address}"), "wp_dst", false),
        Entry::Refuse => step(format!("refuses connections to {address}"), "wp_dst", true),
        Entry::Capture { expected, fail_closed } => {
            let whose = match waypoint {
                Some(waypoint) if expected => format!(" for waypoint {waypoint}"),
                Some(waypoint) => format!(", but not for waypoint {waypoint}"),
                None => String::new(),
            };
            let dead = if fail_closed { "refuses" } else { "passes" };
            let says = format!(
                "captures connections to {address}{whose}, and {dead} them while no agent listens"
            );
            step(says, "wp_dst", !expected)
        }
    };
    let mut steps = vec![of_client, of_destination];
    if held.bypass {
        let says = "passes the agent by, as it does not prove that it works";
        steps.push(step(says, "cfg", true));
    }
    steps
}

fn step(says: impl Into<String>, map: &str, amiss: bool) -> Step {
    let field = if map.is_empty() { String::new() } else { format!("map {map}") };
    let decider = Decider { object: "Kernel".to_owned(), field };
    Step { topic: "kernel".to_owned(), says: says.into(), decided_by: vec![decider], amiss }
}
