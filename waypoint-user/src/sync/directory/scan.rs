//! Reading the files of the directory.
//!
//! It decides when to read nothing; `follow` does.

use std::{
    collections::BTreeSet,
    io::{self, Read},
    path::{Path, PathBuf},
};

use crate::{
    mesh::report::{Finding, Report},
    sync::{
        files::{Files, KEPT},
        finding::error,
        objects::Objects,
    },
};

/// The directory and what was read of it.
#[derive(Debug)]
pub(super) struct Scan {
    directory: PathBuf,
    files: Files,
}

impl Scan {
    /// Begins with nothing.
    pub(super) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), files: Files::default() }
    }

    /// Reads every file, and forgets those that are gone.
    pub(super) fn read_all(&mut self) -> io::Result<()> {
        let names = self.list()?;
        for name in &names {
            self.read_file(name);
        }
        Ok(())
    }

    /// Reads the files that changed, and forgets those that are gone.
    pub(super) fn read_some(&mut self, changed: &BTreeSet<String>) -> io::Result<()> {
        let names = self.list()?;
        for name in names.intersection(changed) {
            self.read_file(name);
        }
        Ok(())
    }

    /// Notes that the directory cannot be listed, until it can again.
    pub(super) fn note(&mut self, cause: &io::Error) {
        let path = self.directory.display();
        let message = format!("{path}: {cause}; all objects stay as they were");
        self.files.note(Some(error("Unreadable", message)));
    }

    /// The objects in force, and what there is to say of the files.
    pub(super) fn merge(&self) -> (Objects, Report) {
        self.files.merge()
    }

    /// The names of manifest files, of which the first [`FILES_MAX`] count.
    fn list(&mut self) -> io::Result<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        for entry in std::fs::read_dir(&self.directory)? {
            let name = entry?.file_name();
            if let Some(name) = name.to_str()
                && is_manifest(name)
                && !self.directory.join(name).is_dir()
            {
                names.insert(name.to_owned());
            }
        }
        let surplus = names.len().saturating_sub(FILES_MAX);
        for _ in 0..surplus {
            names.pop_last();
        }
        self.files.note((surplus > 0).then(|| too_many(surplus)));
        self.files.retain(&names);
        Ok(names)
    }

    /// Reads a file; one that cannot be read leaves its objects as they are.
    fn read_file(&mut self, name: &str) {
        match contents(&self.directory.join(name)) {
            Ok(Some(bytes)) => self.files.replace(name, &bytes),
            Ok(None) => self.files.keep(name, too_large(name)),
            Err(cause) => {
                let message = format!("{name}: {cause}; {KEPT}");
                self.files.keep(name, error("Unreadable", message));
            }
        }
    }
}

/// Whether a file of this name is a manifest.
pub(super) fn is_manifest(name: &str) -> bool {
    let ending = Path::new(name).extension().and_then(|ending| ending.to_str());
    !name.starts_with('.') && matches!(ending, Some("yaml" | "yml" | "json"))
}

/// What a file holds, unless that is too much. A pipe or a device would block or never end.
fn contents(path: &Path) -> io::Result<Option<Vec<u8>>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    let fits = u64::try_from(bytes.len()).is_ok_and(|size| size <= FILE_BYTES_MAX);
    Ok(fits.then_some(bytes))
}

/// Says that a file is too large.
fn too_large(name: &str) -> Finding {
    error("TooLarge", format!("{name}: larger than {FILE_BYTES_MAX} bytes; {KEPT}"))
}

/// Says that there are too many files.
fn too_many(surplus: usize) -> Finding {
    let message = format!("more than {FILES_MAX} files; the last {surplus} by name are left out");
    error("TooManyFiles", message)
}

/// Largest manifest file, in bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Most manifest files.
const FILES_MAX: usize = 10_000;
