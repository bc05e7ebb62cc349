//! The directory of manifests that an agent reads, and edits to it.
//!
//! **Invariant:** a file appears whole: it is written elsewhere and renamed.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::object::{Manifest, Meta};

/// The objects in force, each in a file of its own.
#[derive(Debug)]
pub struct Manifests {
    directory: PathBuf,
    objects: BTreeMap<(String, String), Manifest>,
}

impl Manifests {
    /// An empty directory.
    pub fn create(directory: PathBuf) -> Result<Self> {
        fs::create_dir_all(&directory)?;
        Ok(Self { directory, objects: BTreeMap::new() })
    }

    /// Where they are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Writes an object.
    pub fn put(&mut self, manifest: Manifest) -> Result<()> {
        self.write(&file_of(&manifest), &manifest.to_string())?;
        self.objects.insert((manifest.kind.to_owned(), manifest.meta.name.clone()), manifest);
        Ok(())
    }

    /// Changes labels and annotations of an object.
    pub fn edit(&mut self, kind: &str, name: &str, change: impl FnOnce(&mut Meta)) -> Result<()> {
        let key = (kind.to_owned(), name.to_owned());
        let manifest = self.objects.get_mut(&key);
        let manifest = manifest.with_context(|| format!("no {kind} {name} in this lab"))?;
        change(&mut manifest.meta);
        let (file, text) = (file_of(manifest), manifest.to_string());
        self.write(&file, &text)
    }

    /// Removes an object.
    pub fn remove(&mut self, kind: &str, name: &str) -> Result<()> {
        let manifest = self.objects.remove(&(kind.to_owned(), name.to_owned()));
        let manifest = manifest.with_context(|| format!("no {kind} {name} in this lab"))?;
        self.delete(&file_of(&manifest))
    }

    /// Writes any text under a file name.
    pub fn write(&self, file: &str, text: &str) -> Result<()> {
        let path = self.directory.join(file);
        let aside = self.directory.with_extension("aside");
        fs::write(&aside, text)?;
        fs::rename(&aside, &path).with_context(|| format!("write {}", path.display()))
    }

    /// Removes a file.
    pub fn delete(&self, file: &str) -> Result<()> {
        let path = self.directory.join(file);
        fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))
    }
}

fn file_of(manifest: &Manifest) -> String {
    let (kind, meta) = (manifest.kind.to_lowercase(), &manifest.meta);
    format!("{kind}-{}-{}.yaml", meta.namespace, meta.name)
}
