//! Files that operators exchange while we run.
//!
//! It looks at them every few seconds instead of asking the kernel to tell: they are few, they may
//! lie on any file system, and Kubernetes exchanges them by symbolic links.

use std::{
    fs, io,
    io::Write,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::crypto;

/// How often files are looked at.
pub(super) const INTERVAL: Duration = Duration::from_secs(2);

/// Files, and how they were when they were looked at last.
#[derive(Debug)]
pub(super) struct Followed {
    paths: Vec<PathBuf>,
    seen: Vec<Option<Stamp>>,
}

/// What changes when a file's content does.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Stamp {
    inode: u64,
    length: u64,
    modified: Option<SystemTime>,
}

impl Followed {
    /// Looks at files for the first time.
    pub(super) fn new(paths: Vec<PathBuf>) -> Self {
        let seen = paths.iter().map(|path| stamp(path)).collect();
        Self { paths, seen }
    }

    /// Whether one changed, came or went since the last call.
    pub(super) fn changed(&mut self) -> bool {
        let now: Vec<_> = self.paths.iter().map(|path| stamp(path)).collect();
        let changed = now != self.seen;
        self.seen = now;
        changed
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    let modified = metadata.modified().ok();
    Some(Stamp { inode: metadata.ino(), length: metadata.len(), modified })
}

/// Reads a file whose content is bounded.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    use io::Read;
    let mut content = Vec::new();
    fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut content)?;
    if u64::try_from(content.len()).is_ok_and(|length| length > FILE_BYTES_MAX) {
        let cause = format!("longer than {FILE_BYTES_MAX} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, cause));
    }
    Ok(content)
}

/// Writes a file that is not there yet, whole or not at all.
pub(super) fn create(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let tail = crypto::random::<8>().map_err(|_| io::Error::other("no random numbers"))?;
    let beside = path.with_extension(format!("new-{}", crypto::hex(&tail)));
    let written = write_new(&beside, content, mode);
    // A link fails where a file is, which a rename would replace.
    let linked = written.and_then(|()| fs::hard_link(&beside, path));
    let _ = fs::remove_file(&beside);
    linked
}

fn write_new(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// How long a file of certificates, keys, lists or tokens may be.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

#[cfg(test)]
mod tests;
