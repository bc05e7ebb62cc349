//! JSON values as YAML, in the manner of `kubectl`: block style, lists at the depth of their key.
//!
//! It writes only what it is given and reads nothing.
//!
//! **Invariant:** a text is quoted unless every YAML reader takes it for that text.

use std::fmt::Write as _;

use serde_json::Value;

/// A value as a YAML document.
pub(super) fn show(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(fields) if !fields.is_empty() => block(value, 0, &mut text),
        Value::Array(items) if !items.is_empty() => block(value, 0, &mut text),
        other => text.push_str(&(scalar(other) + "\n")),
    }
    text
}

/// A map or a list that has something in it, as lines of such a depth.
fn block(value: &Value, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let _ = write!(text, "{indent}{}:", quoted(key));
                under(value, depth, text);
            }
        }
        Value::Array(items) => {
            for item in items {
                let mut lines = String::new();
                if is_block(item) {
                    block(item, depth + 1, &mut lines);
                } else {
                    lines = format!("{indent}  {}\n", scalar(item));
                }
                // The dash takes the place of the first line's last step of depth.
                let rest = lines.get(indent.len() + 2..).unwrap_or_default();
                let _ = write!(text, "{indent}- {rest}");
            }
        }
        other => {
            let _ = writeln!(text, "{indent}{}", scalar(other));
        }
    }
}

/// What follows a key and its colon.
fn under(value: &Value, depth: usize, text: &mut String) {
    if !is_block(value) {
        let _ = writeln!(text, " {}", scalar(value));
        return;
    }
    text.push('\n');
    block(value, if value.is_array() { depth } else { depth + 1 }, text);
}

/// Whether a value needs lines of its own.
fn is_block(value: &Value) -> bool {
    match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        // Numbers, words and empty collections are written alike in both.
        other => other.to_string(),
    }
}

/// A text, in quotes if it could be taken for something else.
fn quoted(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { Value::from(text).to_string() }
}

/// Whether a text needs no quotes: a letter first, then nothing that YAML gives a meaning, and not
/// one of its words.
fn is_plain(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    text.bytes().next().is_some_and(|first| first.is_ascii_alphabetic())
        && text.bytes().all(inner)
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

/// Words that YAML 1.1 takes for truth values and nothing.
const WORDS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"];

#[cfg(test)]
mod tests;
