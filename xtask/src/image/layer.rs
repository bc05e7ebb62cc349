//! The files of an image, as one archive.
//!
//! **Invariant:** entries are sorted, belong to root and have no time, so that the archive depends
//! on the files alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tar::{Builder, EntryType, Header};

/// Files and folders by their path in the image.
#[derive(Clone, Default)]
pub(super) struct Layer(BTreeMap<PathBuf, Entry>);

#[derive(Clone)]
struct Entry {
    mode: u32,
    /// Nothing for a folder.
    content: Option<Vec<u8>>,
}

impl Layer {
    /// Adds a folder and those above it.
    pub(super) fn folder(&mut self, path: impl AsRef<Path>, mode: u32) {
        let path = path.as_ref();
        self.folders_above(path);
        self.0.insert(path.to_owned(), Entry { mode, content: None });
    }

    /// Adds a file and the folders above it.
    pub(super) fn file(&mut self, path: impl AsRef<Path>, mode: u32, content: Vec<u8>) {
        let path = path.as_ref();
        self.folders_above(path);
        self.0.insert(path.to_owned(), Entry { mode, content: Some(content) });
    }

    /// The archive.
    pub(super) fn archive(&self) -> Result<Vec<u8>> {
        let mut archive = Archive::default();
        for (path, Entry { mode, content }) in &self.0 {
            let path = path.strip_prefix("/").unwrap_or(path);
            match content {
                Some(bytes) => archive.file(path, *mode, bytes)?,
                None => archive.folder(path, *mode)?,
            }
        }
        archive.finish()
    }

    fn folders_above(&mut self, path: &Path) {
        let above = path.ancestors().skip(1).filter(|folder| *folder != Path::new("/"));
        for folder in above {
            let entry = Entry { mode: 0o755, content: None };
            self.0.entry(folder.to_owned()).or_insert(entry);
        }
    }
}

/// An archive that is being written.
pub(super) struct Archive(Builder<Vec<u8>>);

impl Default for Archive {
    fn default() -> Self {
        Self(Builder::new(Vec::new()))
    }
}

impl Archive {
    /// Appends a file.
    pub(super) fn file(&mut self, path: &Path, mode: u32, content: &[u8]) -> Result<()> {
        self.append(path, header(EntryType::Regular, mode, content.len() as u64), content)
    }

    /// Appends a folder.
    pub(super) fn folder(&mut self, path: &Path, mode: u32) -> Result<()> {
        self.append(path, header(EntryType::Directory, mode, 0), &[])
    }

    /// Ends it.
    pub(super) fn finish(self) -> Result<Vec<u8>> {
        Ok(self.0.into_inner()?)
    }

    fn append(&mut self, path: &Path, mut header: Header, content: &[u8]) -> Result<()> {
        let appended = self.0.append_data(&mut header, path, content);
        appended.with_context(|| format!("archive {}", path.display()))
    }
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

#[cfg(test)]
mod tests;
