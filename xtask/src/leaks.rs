//! What tests may leave on a host by mistake: network namespaces, links, BPF pins, run directories.
//!
//! It only looks; it removes nothing.

use std::collections::BTreeSet;
use std::fs;

/// Everything on this host that labs and agents make, by path.
pub(crate) fn on_this_host() -> BTreeSet<String> {
    let entries = FOLDERS.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let paths = entries.map(|entry| (entry.file_name(), entry.path()));
    let ours = paths.filter(|(name, _)| {
        let name = name.to_string_lossy();
        name != KEPT && PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    });
    ours.map(|(_, path)| path.display().to_string()).collect()
}

/// Where network namespaces, links, pins, run directories and the disks of nodes are seen.
const FOLDERS: &[&str] = &["/run/netns", "/sys/class/net", "/sys/fs/bpf", "/run", "/var/tmp"];
/// How names of labs and agents begin.
const PREFIXES: &[&str] = &["wl", "wp", "waypoint"];
/// The lab's folder of locks, which stays.
const KEPT: &str = "waypoint-lab";
