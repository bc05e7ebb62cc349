//! Where everything that outlives the process is pinned.
//!
//! ```text
//! <pin_dir>/v<ABI>/maps/<map>
//! <pin_dir>/v<ABI>/programs/<program>
//! <pin_dir>/v<ABI>/links/from_agent, steer
//! <pin_dir>/v<ABI>/links/from_pod/<ifindex>, to_pod/<ifindex>
//! <pin_dir>/v<ABI>/links/.../fresh                for a moment, before it takes a place
//! ```
//!
//! It knows names and directories, not what is behind them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use waypoint_common::{ABI, program};

use super::Error;

/// The pins of one ABI version.
#[derive(Clone, Debug)]
pub(super) struct Pins {
    root: PathBuf,
    version: PathBuf,
}

impl Pins {
    /// The pins of this build's ABI.
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), version: root.join(format!("v{ABI}")) }
    }

    /// Makes the directories.
    pub(super) fn create(&self) -> Result<(), Error> {
        let directories = [self.version.join(MAPS), self.version.join(PROGRAMS)];
        let links = [program::FROM_POD, program::TO_POD].map(|name| self.link(name));
        for directory in directories.into_iter().chain(links) {
            fs::create_dir_all(&directory).map_err(Error::file(&directory))?;
        }
        Ok(())
    }

    /// A map.
    pub(super) fn map(&self, name: &str) -> PathBuf {
        self.version.join(MAPS).join(name)
    }

    /// A program.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.version.join(PROGRAMS).join(name)
    }

    /// The one link of a program.
    pub(super) fn link(&self, name: &str) -> PathBuf {
        self.version.join(LINKS).join(name)
    }

    /// The link of a program on a pod's interface.
    pub(super) fn pod_link(&self, name: &str, ifindex: u32) -> PathBuf {
        self.link(name).join(ifindex.to_string())
    }

    /// Interfaces of pods for which a link of a program is pinned.
    pub(super) fn pod_links(&self, name: &str) -> Result<Vec<u32>, Error> {
        let directory = self.link(name);
        let names = names(&directory).map_err(Error::file(&directory))?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// Removes what other ABI versions left, and says what that was.
    pub(super) fn remove_other_versions(&self) -> Result<Vec<PathBuf>, Error> {
        self.remove_versions(|version| version != self.version)
    }

    /// Removes every pin of every version, and the directory itself.
    pub(super) fn remove_all(&self) -> Result<Vec<PathBuf>, Error> {
        let mut removed = self.remove_versions(|_| true)?;
        match fs::remove_dir(&self.root) {
            Ok(()) => removed.push(self.root.clone()),
            Err(error) if is_expected(&error) => {}
            Err(source) => return Err(Error::File { path: self.root.clone(), source }),
        }
        Ok(removed)
    }

    fn remove_versions(&self, which: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>, Error> {
        let mut removed = Vec::new();
        for name in names(&self.root).map_err(Error::file(&self.root))? {
            let version = self.root.join(&name);
            if is_version(&name) && which(&version) {
                remove_tree(&version, &mut removed)?;
            }
        }
        Ok(removed)
    }
}

/// Where a link is pinned before it takes the place of another at `pin`.
pub(super) fn fresh(pin: &Path) -> PathBuf {
    pin.with_file_name(FRESH)
}

/// Removes a pin, if it is there. With the last pin of a link goes the link.
pub(super) fn remove(path: &Path) -> Result<bool, Error> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(Error::File { path: path.to_owned(), source }),
    }
}

fn remove_tree(directory: &Path, removed: &mut Vec<PathBuf>) -> Result<(), Error> {
    // Links first: a packet must never meet a program whose maps are gone.
    let mut entries = names(directory).map_err(Error::file(directory))?;
    entries.sort_by_key(|name| name != LINKS);
    for name in entries {
        let path = directory.join(name);
        if path.is_dir() {
            remove_tree(&path, removed)?;
        } else if remove(&path)? {
            removed.push(path);
        }
    }
    fs::remove_dir(directory).map_err(Error::file(directory))
}

/// Names in a directory; none if it is not there.
fn names(directory: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

fn is_version(name: &str) -> bool {
    name.strip_prefix('v').is_some_and(|number| number.parse::<u32>().is_ok())
}

/// The directory is a mount point, holds what is not ours, or is not there.
fn is_expected(error: &io::Error) -> bool {
    use io::ErrorKind::{DirectoryNotEmpty, NotFound, ResourceBusy};
    [DirectoryNotEmpty, NotFound, ResourceBusy].contains(&error.kind())
}

const MAPS: &str = "maps";
const PROGRAMS: &str = "programs";
const LINKS: &str = "links";
const FRESH: &str = "fresh";

#[cfg(test)]
mod tests;
