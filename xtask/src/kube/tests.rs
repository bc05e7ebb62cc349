use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use super::{are_there, fingerprint};
use crate::shell::target;

/// An empty directory of a test.
fn folder(name: &str) -> Result<PathBuf> {
    let folder = target().join("tmp/xtask-kube").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

#[test]
fn what_is_built_is_told_apart_by_its_sources_and_nothing_else() -> Result<()> {
    let folder = folder("sources")?;
    fs::write(folder.join("main.go"), "package main")?;
    fs::write(folder.join("go.mod"), "go 1.26.0")?;
    let first = fingerprint(&folder)?;
    fs::write(folder.join("notes.md"), "not a source")?;
    assert_eq!(fingerprint(&folder)?, first);
    fs::write(folder.join("go.mod"), "go 1.27.0")?;
    let second = fingerprint(&folder)?;
    assert_ne!(second, first);
    fs::write(folder.join("more.go"), "package main")?;
    assert_ne!(fingerprint(&folder)?, second);
    Ok(())
}

#[test]
fn definitions_that_went_away_are_looked_for_again() -> Result<()> {
    let folder = folder("definitions")?;
    let (list, definition) = (folder.join("crds"), folder.join("crd.yaml"));
    assert!(!are_there(&list));
    fs::write(&list, "")?;
    assert!(!are_there(&list));
    fs::write(&definition, "kind: CustomResourceDefinition")?;
    fs::write(&list, format!("{}\n", definition.display()))?;
    assert!(are_there(&list));
    fs::remove_file(&definition)?;
    assert!(!are_there(&list));
    Ok(())
}
