//! Sections of a configuration dump as tables.
//!
//! What a dump does not say is shown as nothing.

use serde_json::Value;

use crate::cli::Table;

use super::Section;

/// The sections that are there, one table each.
pub(super) fn tables(dump: &Value) -> String {
    let sections = [Section::Services, Section::Workloads, Section::Policies, Section::Waypoints];
    let table = |section: Section| {
        let rows = dump.get(section.key())?.as_array()?;
        Some(match section {
            Section::Services => services(rows),
            Section::Workloads => workloads(rows),
            Section::Policies => policies(rows),
            Section::Waypoints => waypoints(rows),
        })
    };
    sections.into_iter().filter_map(table).collect::<Vec<_>>().join("\n")
}

fn services(rows: &[Value]) -> String {
    let header = ["NAMESPACE", "SERVICE NAME", "SERVICE VIP", "WAYPOINT", "ENDPOINTS"];
    let mut table = Table::new(header);
    for row in rows {
        let (namespace, name) = named(row);
        let count = |key: &str| row.pointer(&format!("/endpoints/{key}")).map(ToString::to_string);
        let endpoints = [count("ready"), count("total")].map(Option::unwrap_or_default).join("/");
        let waypoint = waypoint(row, &namespace);
        table.row([namespace, name, list(row, "vips"), waypoint, endpoints]);
    }
    table.to_string()
}

fn workloads(rows: &[Value]) -> String {
    let header = ["NAMESPACE", "POD NAME", "ADDRESS", "NODE", "WAYPOINT", "PROTOCOL"];
    let mut table = Table::new(header);
    for row in rows {
        let (namespace, name) = named(row);
        let protocol = if word(row, "transport") == "hbone" { "HBONE" } else { "TCP" };
        let waypoint = waypoint(row, &namespace);
        let (address, node) = (list(row, "addresses"), word(row, "node").to_owned());
        table.row([namespace, name, address, node, waypoint, protocol.to_owned()]);
    }
    table.to_string()
}

fn policies(rows: &[Value]) -> String {
    let mut table = Table::new(["NAMESPACE", "POLICY NAME", "ACTION", "SCOPE"]);
    for row in rows {
        let (namespace, name) = named(row);
        let action = word(row, "action").to_owned();
        table.row([namespace, name, action, list(row, "scope")]);
    }
    table.to_string()
}

fn waypoints(rows: &[Value]) -> String {
    let header = ["NAMESPACE", "WAYPOINT NAME", "CLASS", "TRAFFIC TYPE", "READY", "INSTANCES"];
    let mut table = Table::new(header);
    for row in rows {
        let (namespace, name) = named(row);
        let ready = row.get("ready").map(ToString::to_string).unwrap_or_default();
        let (class, traffic) = (word(row, "class").to_owned(), word(row, "for").to_owned());
        table.row([namespace, name, class, traffic, ready, list(row, "instances")]);
    }
    table.to_string()
}

/// Namespace and name of an object.
fn named(row: &Value) -> (String, String) {
    let name = word(row, "name");
    let (namespace, name) = name.split_once('/').unwrap_or(("", name));
    (namespace.to_owned(), name.to_owned())
}

/// The waypoint of an object of a namespace.
fn waypoint(row: &Value, namespace: &str) -> String {
    let binding = row.get("waypoint").unwrap_or(&Value::Null);
    match (word(binding, "bound"), word(binding, "refused")) {
        ("", "") => "None".to_owned(),
        ("", refused) => format!("None ({}: {refused})", word(binding, "reason")),
        (bound, _) => match bound.split_once('/') {
            Some((home, name)) if home == namespace => name.to_owned(),
            _ => bound.to_owned(),
        },
    }
}

fn word<'v>(row: &'v Value, key: &str) -> &'v str {
    row.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list(row: &Value, key: &str) -> String {
    let items = row.get(key).and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).collect::<Vec<_>>().join(",")
}
