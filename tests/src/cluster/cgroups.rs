//! The cgroup under which a node's pods are, in every hierarchy that this machine has.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};

use crate::lab::wait;

/// Makes it.
pub(super) fn create(name: &str) -> Result<()> {
    for hierarchy in hierarchies() {
        let cgroup = hierarchy.join(name);
        fs::create_dir_all(&cgroup).with_context(|| cgroup.display().to_string())?;
        // In version 1 a new set has no processors and no memory, and takes no process.
        for set in ["cpuset.cpus", "cpuset.mems"] {
            if hierarchy.join(set).is_file() {
                fs::write(cgroup.join(set), fs::read(hierarchy.join(set))?)?;
            }
        }
    }
    Ok(())
}

/// Removes those that begin with a prefix and are meant, as soon as their processes are gone.
pub(super) fn remove(prefix: &str, is_meant: impl Fn(&str) -> bool) {
    for hierarchy in hierarchies() {
        let entries = fs::read_dir(hierarchy).into_iter().flatten().flatten();
        let named = entries.filter(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            name.starts_with(prefix) && is_meant(&name)
        });
        for cgroup in named {
            // A killed process is in its cgroup for a moment more.
            let _gone = wait::until_true("empty cgroup", PATIENCE, || {
                remove_tree(&cgroup.path());
                Ok(!cgroup.path().exists())
            });
        }
    }
}

/// A cgroup is removed like an empty directory, although there are files in it.
fn remove_tree(cgroup: &Path) {
    let entries = fs::read_dir(cgroup).into_iter().flatten().flatten();
    let children = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    children.for_each(|child| remove_tree(&child.path()));
    let _gone = fs::remove_dir(cgroup);
}

/// Where each is mounted.
fn hierarchies() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let fields = mounts.lines().map(|line| line.split(' ').skip(1));
    let points = fields.filter_map(|mut fields| Some((fields.next()?, fields.next()?)));
    let ours = points.filter(|(_, kind)| kind.starts_with("cgroup"));
    ours.map(|(point, _)| PathBuf::from(point)).collect()
}

const PATIENCE: Duration = Duration::from_secs(10);
