//! One look at all processes of the node, for those of pods.
//!
//! It blocks, and remembers nothing.
//!
//! **Invariant:** a process in the caller's own network is nobody's whereabouts: monitors that
//! runtimes put into a pod's control group are there.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    io::Read as _,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::cgroup;

/// A process of a pod, and the network namespace that it is in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Spot {
    /// The process.
    pub(super) pid: u32,
    /// What identifies the namespace among all that exist now.
    pub(super) netns: u64,
    /// When the process began, in the kernel's ticks.
    pub(super) began: u64,
}

/// What a look has found.
#[derive(Debug, Default)]
pub(super) struct Sighting {
    /// The spots of each pod, one for each namespace, the oldest process first: it is the one that
    /// holds the pod's network open, or the first container.
    pub(super) spots: HashMap<Arc<str>, Vec<Spot>>,
    /// Whether there were more processes than are looked at.
    pub(super) cut: bool,
}

/// Looks below `proc` for processes of these pods.
pub(super) fn look(proc: &Path, wanted: &HashSet<Arc<str>>) -> Sighting {
    let mut sighting = Sighting::default();
    let own = inode(&proc.join("thread-self/ns/net"));
    let Ok(entries) = fs::read_dir(proc) else { return sighting };
    let processes = entries.flatten().filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        Some((pid, entry.path()))
    });
    for (index, (pid, path)) in processes.enumerate() {
        if index == PROCESSES_MAX {
            sighting.cut = true;
            break;
        }
        let Some((uid, spot)) = spot(pid, &path, wanted) else { continue };
        if Some(spot.netns) != own {
            note(sighting.spots.entry(uid).or_default(), spot);
        }
    }
    sighting
}

/// The namespace that a process is in now.
pub(super) fn inode(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|found| found.ino())
}

/// The file that stands for the network namespace of a process.
pub(super) fn netns_of(proc: &Path, pid: u32) -> PathBuf {
    proc.join(pid.to_string()).join("ns/net")
}

/// Where a process is, if it is one of a wanted pod. It may end while it is looked at.
fn spot(pid: u32, path: &Path, wanted: &HashSet<Arc<str>>) -> Option<(Arc<str>, Spot)> {
    let uid = cgroup::pod_uid(&read(&path.join("cgroup"))?)?;
    let uid = wanted.get(uid.as_str())?;
    let (netns, began) = (inode(&path.join("ns/net"))?, began(&read(&path.join("stat"))?)?);
    Some((Arc::clone(uid), Spot { pid, netns, began }))
}

/// Keeps the oldest process of each namespace, in the order in which they began.
fn note(spots: &mut Vec<Spot>, spot: Spot) {
    if let Some(known) = spots.iter_mut().find(|known| known.netns == spot.netns) {
        if spot.began < known.began {
            *known = spot;
        }
    } else if spots.len() < NAMESPACES_MAX {
        spots.push(spot);
    }
    spots.sort_by_key(|spot| spot.began);
}

/// The start of a file that the kernel writes.
fn read(path: &Path) -> Option<String> {
    let mut contents = Vec::new();
    File::open(path).ok()?.take(FILE_BYTES_MAX).read_to_end(&mut contents).ok()?;
    Some(String::from_utf8_lossy(&contents).into_owned())
}

/// When a process began, by its `stat` file; its name, in brackets, may have any byte.
fn began(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(BEGAN_AFTER_NAME)?.parse().ok()
}

/// Processes that one look looks at; kubelets let a node have far fewer. What comes behind is not
/// found, which is counted.
const PROCESSES_MAX: usize = 131_072;
/// Namespaces that are told apart in one pod, the pod's own and those that its processes make.
const NAMESPACES_MAX: usize = 8;
/// The file of a process with a line for each of version 1's hierarchies has about one KiB.
const FILE_BYTES_MAX: u64 = 16 * 1024;
/// `starttime` is field 22 of `stat`, and the name is field 2.
const BEGAN_AFTER_NAME: usize = 19;

#[cfg(test)]
mod tests;
