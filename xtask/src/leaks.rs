//! What tests may leave on a host by mistake: network namespaces, links, BPF pins, nftables tables.
//!
//! It only looks; it removes nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::shell::ask;

/// Everything of ours on this host, by kind and name.
pub(crate) fn on_this_host() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (kind, folder) in FOLDERS {
        found.extend(names(Path::new(folder)).map(|name| format!("{kind} {folder}/{name}")));
    }
    let tables = ask(Command::new("nft").args(["list", "tables"])).unwrap_or_default();
    found.extend(tables.lines().map(|table| format!("nftables {table}")));
    found
}

fn names(folder: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned())
}

/// Kinds of things that a folder lists.
const FOLDERS: &[(&str, &str)] =
    &[("namespace", "/run/netns"), ("link", "/sys/class/net"), ("pin", "/sys/fs/bpf")];
