//! A condition as an object's status has it, or is to have it.
//!
//! It knows no kind of object.

use serde_json::{Map, Value, json};

use crate::mesh::condition::{Condition, Parent};

/// A condition, with the generation that it was decided about.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Entry {
    /// The parent of a route that it is about.
    pub(super) about: Option<Parent>,
    pub(super) kind: String,
    pub(super) status: String,
    pub(super) reason: String,
    pub(super) message: String,
    pub(super) generation: Option<i64>,
    /// Since when its status is what it is; nothing of what is not written yet.
    pub(super) since: Option<String>,
}

impl Entry {
    /// What is to be said of an object of a generation.
    pub(super) fn new(condition: &Condition, generation: Option<i64>) -> Self {
        Self {
            about: condition.about.clone(),
            kind: condition.kind.to_owned(),
            status: condition.status.as_str().to_owned(),
            reason: condition.reason.clone(),
            message: condition.message.clone(),
            generation,
            since: None,
        }
    }

    /// Reads an item of a list of conditions.
    pub(super) fn read(about: Option<&Parent>, item: &Value) -> Self {
        let text = |key: &str| item.get(key).and_then(Value::as_str).map(str::to_owned);
        Self {
            about: about.cloned(),
            kind: text("type").unwrap_or_default(),
            status: text("status").unwrap_or_default(),
            reason: text("reason").unwrap_or_default(),
            message: text("message").unwrap_or_default(),
            generation: item.get("observedGeneration").and_then(number),
            since: text("lastTransitionTime"),
        }
    }

    /// The item of a list of conditions; `before` is what the list has, and its time stays where
    /// the status does.
    pub(super) fn item(&self, before: &[Self], now: &str) -> Value {
        let same = before.iter().find(|one| one.is_about(self) && one.status == self.status);
        let since = same.and_then(|one| one.since.as_deref()).unwrap_or(now);
        let mut item = Map::from_iter([
            ("type".to_owned(), json!(self.kind)),
            ("status".to_owned(), json!(self.status)),
            ("reason".to_owned(), json!(self.reason)),
            ("message".to_owned(), json!(self.message)),
            ("lastTransitionTime".to_owned(), json!(since)),
        ]);
        if let Some(generation) = self.generation {
            item.insert("observedGeneration".to_owned(), json!(generation));
        }
        Value::Object(item)
    }

    /// Whether both are the same condition, whatever they say.
    fn is_about(&self, other: &Self) -> bool {
        self.kind == other.kind && self.about == other.about
    }

    /// Whether both say the same.
    fn says(&self, other: &Self) -> bool {
        let without_time = |one: &Self| Self { since: None, ..one.clone() };
        without_time(self) == without_time(other)
    }
}

/// Whether two lists say the same, in whatever order and since whenever.
pub(super) fn say_the_same(one: &[Entry], other: &[Entry]) -> bool {
    one.len() == other.len() && one.iter().all(|entry| other.iter().any(|other| entry.says(other)))
}

/// A number, which some kinds write as text.
fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// A reference to a parent, as a status has it.
pub(super) fn reference(parent: &Parent) -> Value {
    let texts = [
        ("group", parent.group.as_ref()),
        ("kind", parent.kind.as_ref()),
        ("namespace", parent.namespace.as_ref()),
        ("name", Some(&parent.name)),
        ("sectionName", parent.section.as_ref()),
    ];
    let texts = texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), json!(text?))));
    let port = parent.port.map(|port| ("port".to_owned(), json!(port)));
    Value::Object(texts.chain(port).collect())
}

/// Reads a reference to a parent.
pub(super) fn parent(reference: &Value) -> Parent {
    let text = |key: &str| reference.get(key).and_then(Value::as_str).map(str::to_owned);
    Parent {
        group: text("group"),
        kind: text("kind"),
        namespace: text("namespace"),
        name: text("name").unwrap_or_default(),
        section: text("sectionName"),
        port: reference.get("port").and_then(number).and_then(|port| i32::try_from(port).ok()),
    }
}
