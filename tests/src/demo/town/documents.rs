//! The commands that the documentation gives, read out of it, so that what is run is what it says.
//!
//! It runs nothing.

use std::{fs, path::Path};

use anyhow::{Context, Result};

/// The commands of the first block of shell below a heading of a document; one that goes on in
/// further lines, after `|` or `\`, is one.
pub(super) fn commands(document: &Path, heading: &str) -> Result<Vec<String>> {
    let text = fs::read_to_string(document).with_context(|| document.display().to_string())?;
    let block = block(&text, heading);
    let block =
        block.with_context(|| format!("{}: no block below {heading}", document.display()))?;
    Ok(statements(block))
}

fn block<'t>(text: &'t str, heading: &str) -> Option<&'t str> {
    let (_, below) = text.split_once(&format!("\n{heading}\n"))?;
    let section = below.split("\n## ").next()?;
    let (_, block) = section.split_once("\n```sh\n")?;
    Some(block.split_once("\n```")?.0)
}

fn statements(block: &str) -> Vec<String> {
    let mut statements: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in block.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        match statements.last_mut().filter(|_| goes_on) {
            Some(last) => *last = format!("{last}\n{line}"),
            None => statements.push(line.to_owned()),
        }
        goes_on = line.ends_with('|') || line.ends_with('\\');
    }
    statements
}

#[cfg(test)]
mod tests;
