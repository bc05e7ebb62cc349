//! Where a cluster is on this machine, and removing what dead ones left there.
//!
//! **Invariant:** everything that a cluster makes outside of its nodes carries its name.

use std::{
    fs,
    path::{Path, PathBuf},
    process,
};

use anyhow::{Context, Result};

use super::cgroups;
use crate::lab::{command, netns};

/// The name of a cluster, and so all its places.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place(String);

impl Place {
    /// That of the one cluster which stands until it is taken down.
    pub fn standing() -> Self {
        Self(NAME.to_owned())
    }

    /// That of a cluster which stands no longer than this process.
    pub fn of_this_process() -> Self {
        Self(format!("{NAME}-{}", process::id()))
    }

    /// One whose name is known.
    pub fn named(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The name of a thing of it.
    pub fn of(&self, thing: impl AsRef<str>) -> String {
        format!("{}-{}", self.0, thing.as_ref())
    }

    /// Small files, sockets, and /run of each node.
    pub fn run(&self) -> PathBuf {
        Path::new("/run").join(&self.0)
    }

    /// What needs room: /var/lib and /var/log of each node.
    pub fn disk(&self) -> PathBuf {
        Path::new("/var/tmp").join(&self.0)
    }

    /// Whether anything of it is there.
    pub fn is_there(&self) -> bool {
        self.run().exists() || self.disk().exists() || !netns::named(&self.0).is_empty()
    }

    /// Makes the directories.
    pub(super) fn create(&self) -> Result<()> {
        for directory in [self.run(), self.disk()] {
            fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
        }
        Ok(())
    }

    /// Removes whatever of it is there; its processes must have ended.
    pub fn scrub(&self) {
        for name in netns::named(&self.of("")).into_iter().filter(|name| self.is_mine(name)) {
            let _gone = command::run("ip", &["netns", "del", &name]);
        }
        cgroups::remove(&self.of(""), |name| self.is_mine(name));
        for directory in [self.run(), self.disk()] {
            let _gone = fs::remove_dir_all(directory);
        }
    }

    /// A thing of the standing cluster begins with its name, but so does everything of another
    /// one, which has a number there.
    fn is_mine(&self, thing: &str) -> bool {
        let rest = thing.strip_prefix(&self.of("")).unwrap_or_default();
        rest.starts_with(|first: char| !first.is_ascii_digit())
    }
}

/// Removes what clusters of dead processes left.
pub(super) fn sweep() {
    let entries = fs::read_dir("/run").into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    for name in names {
        let owner = name.strip_prefix(NAME).and_then(|rest| rest.strip_prefix('-'));
        let owner = owner.and_then(|owner| owner.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
            Place(name).scrub();
        }
    }
}

const NAME: &str = "waypoint-cluster";

#[cfg(test)]
mod tests;
