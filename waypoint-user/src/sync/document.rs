//! Bytes of a manifest file, taken apart into documents.
//!
//! It knows YAML and JSON and nothing of Kubernetes but that a `List` holds more documents.

use serde_json::Value;
use serde_saphyr::Spanned;

/// One document of a file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Document {
    /// The line it begins at, from 1.
    pub(super) line: u64,
    /// What it says.
    pub(super) value: Value,
}

/// A file that is not YAML.
#[derive(Debug, thiserror::Error, Eq, PartialEq)]
#[error("line {line}: {message}")]
pub(super) struct Malformed {
    /// The line that is at fault, from 1; 1 when none can be named.
    pub(super) line: u64,
    /// What is wrong.
    pub(super) message: String,
}

/// Takes a file apart; documents without contents are left out.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Document>, Malformed> {
    let text = std::str::from_utf8(bytes).map_err(|error| not_text(bytes, &error))?;
    let documents: Vec<Spanned<Value>> =
        serde_saphyr::from_multiple_with_options(text, options(bytes.len())).map_err(|error| {
            Malformed { line: line_of(&error), message: first_line(&error.without_snippet()) }
        })?;
    let mut parsed = Vec::new();
    for document in documents {
        flatten(document.referenced.line().max(1), document.value, LISTS_DEEP_MAX, &mut parsed);
    }
    Ok(parsed)
}

/// Adds the document, or if it is a list its items.
fn flatten(line: u64, mut value: Value, lists_left: usize, into: &mut Vec<Document>) {
    let is_list = value.get("kind").and_then(Value::as_str).is_some_and(|kind| kind == "List");
    if value.is_null() {
        return;
    }
    match value.get_mut("items") {
        Some(Value::Array(items)) if is_list && lists_left > 0 => {
            for item in std::mem::take(items) {
                flatten(line, item, lists_left - 1, into);
            }
        }
        _ => into.push(Document { line, value }),
    }
}

/// The parser's limits: proportional to the file, whose size is limited itself. Words that are
/// numbers or truth values only to YAML 1.1 stay words.
fn options(size: usize) -> serde_saphyr::Options {
    serde_saphyr::options! {
        strict_booleans: true,
        budget: serde_saphyr::budget! {
            max_documents: size,
            max_nodes: size,
            max_events: size.saturating_mul(2).max(EVENTS_MIN),
        },
    }
}

/// A file that is not UTF-8.
fn not_text(bytes: &[u8], error: &std::str::Utf8Error) -> Malformed {
    let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
    let line = 1 + before.split(|byte| *byte == b'\n').skip(1).count();
    Malformed { line: line as u64, message: "not UTF-8".to_owned() }
}

/// The line that a parser's error names.
fn line_of(error: &serde_saphyr::Error) -> u64 {
    error.location().map_or(1, |location| location.line().max(1))
}

/// The first line of a message, so that a finding stays one.
fn first_line(message: &impl ToString) -> String {
    message.to_string().lines().next().unwrap_or_default().to_owned()
}

/// How deep lists may hold lists.
const LISTS_DEEP_MAX: usize = 4;
/// Room for the events of a file of a few bytes.
const EVENTS_MIN: usize = 64;

#[cfg(test)]
mod tests;
