//! The file system that pins live in.
//!
//! It mounts one where there is none and never unmounts: others may have pins in it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use nix::{
    mount::{MsFlags, mount},
    sys::statfs::{BPF_FS_MAGIC, statfs},
};

use super::Error;

/// Makes sure that a directory exists in a bpffs, and says where one was mounted.
pub(super) fn ensure(directory: &Path) -> Result<Option<PathBuf>, Error> {
    let (there, mut mounted) = (nearest(directory), None);
    if !is_bpffs(&there).map_err(Error::file(&there))? {
        let point = if directory.starts_with(STANDARD) {
            PathBuf::from(STANDARD)
        } else {
            directory.to_owned()
        };
        fs::create_dir_all(&point).map_err(Error::file(&point))?;
        mount(Some("bpf"), &point, Some("bpf"), MsFlags::empty(), None::<&str>)
            .map_err(|errno| Error::Mount { path: point.clone(), source: errno.into() })?;
        tracing::info!(path = %point.display(), "mounted a bpffs");
        mounted = Some(point);
    }
    fs::create_dir_all(directory).map_err(Error::file(directory))?;
    Ok(mounted)
}

/// The nearest directory that exists, from this one upwards.
fn nearest(directory: &Path) -> PathBuf {
    let existing = directory.ancestors().find(|ancestor| ancestor.is_dir());
    existing.unwrap_or(Path::new("/")).to_owned()
}

fn is_bpffs(path: &Path) -> io::Result<bool> {
    Ok(statfs(path).map_err(io::Error::from)?.filesystem_type() == BPF_FS_MAGIC)
}

/// Where systemd and everybody else mounts it.
const STANDARD: &str = "/sys/fs/bpf";
