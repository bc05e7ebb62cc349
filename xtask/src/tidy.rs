//! The house style, as a program: what may import what, and how names, files and comments look.
//!
//! It reads every Rust file of the workspace and complains; it changes nothing. What rustfmt and
//! clippy already check is left to them.
//!
//! **Invariant:** a rule is a row of a table in one of the modules below; changing the architecture
//! is a change of one reviewable line there.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::shell::root;

mod claims;
mod complaint;
mod fences;
mod imports;
mod names;
mod paths;
mod shape;
mod source;
mod words;

use complaint::Complaint;
use source::Source;

/// Checks the workspace and prints what it finds.
pub(crate) fn run() -> Result<ExitCode> {
    let complaints = check(root())?;
    for complaint in &complaints {
        println!("{complaint}");
    }
    if complaints.is_empty() {
        println!("tidy: nothing to complain about");
        return Ok(ExitCode::SUCCESS);
    }
    println!("tidy: {} complaints", complaints.len());
    Ok(ExitCode::FAILURE)
}

/// Every complaint about the workspace in a folder.
fn check(root: &Path) -> Result<Vec<Complaint>> {
    let crates = imports::declared_crates(root)?;
    let (mut complaints, mut texts) = (Vec::new(), Vec::new());
    for path in source::files(root, CRATES, &["rs"])? {
        let source = Source::read(root, &path)?;
        complaints.extend(check_source(&source, &crates));
        // Tidy's own examples are no proof of anything.
        if source.crate_folder() != "xtask" {
            texts.push(source.text);
        }
    }
    for path in source::files(root, TEXTS, &["md", "toml", "yaml", "run"])? {
        let text = std::fs::read_to_string(root.join(&path))?;
        complaints.extend(words::check_text(&path, &text));
        if path.extension().is_some_and(|extension| extension == "md") {
            complaints.extend(claims::check_names(&path, &text, &texts));
        }
        if path == Path::new("ARCHITECTURE.md") {
            complaints.extend(claims::check_crates(&path, &text, &crates));
        }
    }
    Ok(complaints)
}

/// Every complaint about one Rust file.
fn check_source(source: &Source, crates: &[String]) -> Vec<Complaint> {
    let paths = paths::of(source.tokens.clone());
    [
        imports::check(source, &paths, crates),
        fences::check(source, &paths),
        names::check(source),
        shape::check(source),
        words::check(source),
    ]
    .concat()
}

const CRATES: &[&str] = &["waypoint-common", "waypoint-ebpf", "waypoint-user", "xtask", "tests"];
/// Folders and files of the repository that are not Rust but are read by people.
const TEXTS: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "Cargo.toml",
    "clippy.toml",
    "deny.toml",
    "deploy",
    "docs",
    ".ci",
    "tests",
    "waypoint-common",
    "waypoint-ebpf",
    "waypoint-user",
    "xtask",
];

#[cfg(test)]
mod tests;
