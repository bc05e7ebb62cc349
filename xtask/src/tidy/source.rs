//! A Rust file as the checks see it: its text, its tokens, its syntax, and where it stands.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, anyhow};
use proc_macro2::TokenStream;

/// A Rust file.
pub(crate) struct Source {
    /// Its path below the workspace.
    pub(crate) path: PathBuf,
    /// Its text.
    pub(crate) text: String,
    /// Its tokens, without ordinary comments.
    pub(crate) tokens: TokenStream,
    /// Its syntax tree.
    pub(crate) syntax: syn::File,
}

impl Source {
    /// Reads a file below the workspace.
    pub(crate) fn read(root: &Path, path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(root.join(path))
            .with_context(|| format!("{}", path.display()))?;
        Self::parse(path, text)
    }

    /// Takes a text for the file of that path.
    pub(crate) fn parse(path: &Path, text: String) -> Result<Self> {
        let named = |error: &dyn std::fmt::Display| anyhow!("{}: {error}", path.display());
        let tokens = TokenStream::from_str(&text).map_err(|error| named(&error))?;
        let syntax = syn::parse_file(&text).map_err(|error| named(&error))?;
        Ok(Self { path: path.to_owned(), text, tokens, syntax })
    }

    /// The folder of the crate it belongs to.
    pub(crate) fn crate_folder(&self) -> &str {
        self.parts().first().copied().unwrap_or_default()
    }

    /// Its module below the crate's root, for a file under `src`: empty for `lib.rs` and `main.rs`,
    /// `["bin", "waypointd"]` for a binary.
    pub(crate) fn module(&self) -> Vec<&str> {
        let parts = self.parts();
        let mut module: Vec<&str> = match parts.as_slice() {
            [_, "src", inner @ ..] => inner.to_vec(),
            _ => Vec::new(),
        };
        if let Some(last) = module.last_mut() {
            *last = last.trim_end_matches(".rs");
        }
        if matches!(module.as_slice(), ["lib" | "main"]) { Vec::new() } else { module }
    }

    /// True for unit tests and for everything in the `tests` crate.
    pub(crate) fn is_test(&self) -> bool {
        self.crate_folder() == "tests"
            || self.parts().iter().skip(1).any(|part| matches!(*part, "tests" | "tests.rs"))
    }

    /// True when the file says that it is a table, which has no useful shape.
    pub(crate) fn is_table(&self) -> bool {
        self.text.lines().any(|line| line.trim() == TABLE_MARKER)
    }

    fn parts(&self) -> Vec<&str> {
        self.path.iter().filter_map(|part| part.to_str()).collect()
    }
}

/// The files below some folders (or the named files themselves) that end in one of some ways, by
/// path below the root and in order. What cargo built is left out.
pub(crate) fn files(root: &Path, below: &[&str], ends: &[&str]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut left: Vec<PathBuf> = below.iter().map(PathBuf::from).collect();
    while let Some(path) = left.pop() {
        let here = root.join(&path);
        if here.ends_with(BUILT) {
            continue;
        }
        if here.is_dir() {
            for entry in here.read_dir().with_context(|| here.display().to_string())? {
                left.push(path.join(entry?.file_name()));
            }
        } else if here.is_file() && has_end(&path, ends) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn has_end(path: &Path, ends: &[&str]) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let end = name.rsplit('.').next().unwrap_or_default();
    ends.contains(&end)
}

/// How cargo calls a folder for what it builds.
const BUILT: &str = "target";
/// The comment by which a file says that it is a table or generated.
const TABLE_MARKER: &str = "// tidy: table";
