//! What the documents claim and a program can check: that the tests and the limits they name exist,
//! and that every dependency is explained.

use std::path::Path;

use super::complaint::Complaint;

/// Complaints about tests, and constants, that a document's tables name and no source contains.
pub(crate) fn check_names(path: &Path, text: &str, sources: &[String]) -> Vec<Complaint> {
    let rows = (1..).zip(text.lines()).filter(|(_, line)| line.starts_with('|'));
    let named = rows.flat_map(|(number, line)| quoted(line).map(move |name| (number, name)));
    let claimed = named.filter(|(_, name)| is_test_name(name) || is_constant(name));
    claimed
        .filter(|(_, name)| !sources.iter().any(|text| has_word(text, name)))
        .map(|(number, name)| {
            let what = format!("names `{name}`, which no source contains; drop the claim");
            Complaint::new(path, number, what)
        })
        .collect()
}

/// Complaints about declared crates that a document does not mention.
pub(crate) fn check_crates(path: &Path, text: &str, crates: &[String]) -> Vec<Complaint> {
    let explained: Vec<_> =
        text.lines().flat_map(quoted).map(|name| name.replace('-', "_")).collect();
    let missing = crates.iter().filter(|name| !explained.contains(name));
    missing
        .map(|name| {
            let what = format!("does not say what crate `{name}` is for; add a row, or drop it");
            Complaint::new(path, text.lines().count(), what)
        })
        .collect()
}

/// Whether a name stands in a text, and not only as a part of another.
fn has_word(text: &str, name: &str) -> bool {
    let is_part = |c: char| c == '_' || c.is_ascii_alphanumeric();
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = (text.get(..at), text.get(at + name.len()..));
        let is_begun = before.is_some_and(|before| before.ends_with(is_part));
        !is_begun && !after.is_some_and(|after| after.starts_with(is_part))
    })
}

/// What stands between backticks.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Tests are sentences; metrics have the prefix of their family.
fn is_test_name(name: &str) -> bool {
    name.matches('_').count() >= 2
        && name.chars().all(|c| c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit())
        && !name.starts_with("istio_")
        && !name.starts_with("waypoint_")
}

fn is_constant(name: &str) -> bool {
    name.contains('_')
        && name.chars().all(|c| c == '_' || c.is_ascii_uppercase() || c.is_ascii_digit())
}

#[cfg(test)]
mod tests;
