//! Which shared libraries a program needs, the loader among them; `ldd` knows.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell::{ask, command};

/// Their paths on this machine, which are their paths in the image too.
pub(super) fn of(program: &Path) -> Result<Vec<PathBuf>> {
    let text = ask(&mut command("ldd", &[&program.to_string_lossy()]));
    let text = text.with_context(|| format!("ldd says nothing about {}", program.display()))?;
    read(&text).with_context(|| program.display().to_string())
}

/// Reads what `ldd` prints: `name => path (address)`, or `path (address)` for the loader.
fn read(text: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.ends_with("=> not found") {
            bail!("this machine lacks a library: {line}");
        }
        let place = line.split_once("=> ").map_or(line, |(_, place)| place);
        let path = place.split(" (").next().unwrap_or_default();
        // What has no path is the kernel's own (vdso), or says that nothing is needed.
        if path.starts_with('/') {
            found.push(PathBuf::from(path));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
