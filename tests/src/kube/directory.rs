//! Where a control plane keeps what it writes, and the loopback address that is its own.
//!
//! **Invariant:** both are named after this program's process id, so that no other program has
//! them, and the next one can tell what a dead one left.

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context, Result, ensure};

use crate::lab::command;

/// A directory; removed when dropped.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
}

impl Directory {
    /// A new one, after removing those of dead programs.
    pub(super) fn create() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let above = command::target()?.join("tmp/kube");
        sweep(&above);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = above.join(format!("{}-{count}", process::id()));
        ensure!(
            path.as_os_str().len() <= LONGEST,
            "{} is too long for sockets: set CARGO_TARGET_DIR to a shorter path",
            path.display()
        );
        fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        Ok(Self { path })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The address, of which there are enough below 127.0.0.0/8 for the ids of all processes.
    #[allow(clippy::unused_self, reason = "who has a directory has an address")]
    pub(super) fn loopback(&self) -> Ipv4Addr {
        let [_, high, middle, low] = process::id().to_be_bytes();
        Ipv4Addr::new(127, 64 | high & 0x3f, middle, low)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.path);
    }
}

fn sweep(above: &Path) {
    for entry in fs::read_dir(above).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.split('-').next().unwrap_or_default();
        if owner.parse::<u32>().is_ok() && !Path::new("/proc").join(owner).exists() {
            let _gone = fs::remove_dir_all(entry.path());
        }
    }
}

/// The kernel's limit of 108 for the path of a socket, less the longest name of ours.
const LONGEST: usize = 95;
