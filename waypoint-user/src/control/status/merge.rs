//! A status with what we say of an object put into it.
//!
//! It changes nothing that others say.

use serde_json::{Value, json};

use crate::mesh::condition::Parent;

use super::entry::{Entry, parent, reference};

/// The conditions of a list that are of these types.
pub(super) fn ours(list: &Value, types: &[&str]) -> Vec<Entry> {
    let read = items(list).iter().map(|item| Entry::read(None, item));
    read.filter(|entry| types.contains(&entry.kind.as_str())).collect()
}

/// A list of conditions in which those of our types are what is wanted.
pub(super) fn conditions(list: &Value, types: &[&str], wanted: &[Entry], now: &str) -> Value {
    let before = ours(list, types);
    let is_foreign = |item: &&Value| !types.contains(&kind(item));
    let foreign = items(list).iter().filter(is_foreign).cloned();
    foreign.chain(wanted.iter().map(|entry| entry.item(&before, now))).collect()
}

/// What a list of parents has of ours; `field` names them.
pub(super) fn of_parents(list: &Value, field: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    for item in items(list).iter().filter(|item| is_ours(item)) {
        let about = parent(item.get(field).unwrap_or(&Value::Null));
        let conditions = items(item.get("conditions").unwrap_or(&Value::Null));
        entries.extend(conditions.iter().map(|one| Entry::read(Some(&about), one)));
    }
    entries
}

/// A list of parents in which ours say what is wanted; `field` names them.
pub(super) fn parents(list: &Value, field: &str, wanted: &[Entry], now: &str) -> Value {
    let before = of_parents(list, field);
    let mut parents: Vec<Value> =
        items(list).iter().filter(|item| !is_ours(item)).cloned().collect();
    let mut abouts: Vec<&Parent> = Vec::new();
    for about in wanted.iter().filter_map(|entry| entry.about.as_ref()) {
        if !abouts.contains(&about) {
            abouts.push(about);
        }
    }
    for about in abouts {
        let of_parent = wanted.iter().filter(|entry| entry.about.as_ref() == Some(about));
        let conditions: Vec<Value> = of_parent.map(|entry| entry.item(&before, now)).collect();
        parents.push(json!({
            field: reference(about),
            "controllerName": CONTROLLER,
            "conditions": conditions,
        }));
    }
    parents.truncate(PARENTS_MAX);
    Value::Array(parents)
}

fn is_ours(item: &Value) -> bool {
    item.get("controllerName").and_then(Value::as_str) == Some(CONTROLLER)
}

fn kind(item: &Value) -> &str {
    item.get("type").and_then(Value::as_str).unwrap_or_default()
}

fn items(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

/// Who speaks of a route's parents. Istio's own controller speaks as `istio.io/gateway-controller`,
/// so that the two never write into one entry.
const CONTROLLER: &str = crate::mesh::label::WAYPOINT_CONTROLLER;
/// How many parents a status may have (Gateway API); others' come first.
const PARENTS_MAX: usize = 32;

#[cfg(test)]
mod tests;
