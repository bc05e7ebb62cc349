//! Names that no other lab has, how many labs run at once, and removing what dead labs left behind.
//!
//! **Invariant:** everything a lab makes outside its own directory carries its [`Name`], and so
//! the id of the process that made it.

use std::{
    fmt::{self, Display},
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use anyhow::{Context, Result, anyhow};
use nix::fcntl::{Flock, FlockArg};

use super::{command, netns, wait};

/// A lab's name: `wl`, the process's id, a number.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Name(String);

impl Name {
    /// A name that nothing had before.
    pub fn unique() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(format!("{PREFIX}{}-{count}", std::process::id()))
    }

    /// The name of a thing of this lab.
    pub fn of(&self, thing: impl Display) -> String {
        format!("{self}-{thing}")
    }

    /// A name below this one, for a process with files of its own.
    #[must_use]
    pub fn part(&self, thing: impl Display) -> Self {
        Self(self.of(thing))
    }

    /// Where the lab keeps manifests and logs.
    pub fn directory(&self) -> PathBuf {
        Path::new(DIRECTORY).join(&self.0)
    }

    /// Where an agent of this lab pins.
    pub fn pin_dir(&self) -> PathBuf {
        PathBuf::from(format!("{BPFFS}/{AGENT}{self}"))
    }

    /// Where an agent of this lab keeps its namespace.
    pub fn run_dir(&self) -> PathBuf {
        PathBuf::from(format!("/run/{AGENT}{self}"))
    }

    /// Removes whatever is still there.
    pub fn scrub(&self) {
        for name in netns::named(&self.of("")) {
            let _gone = command::run("ip", &["netns", "del", &name]);
        }
        unmount_below(&self.run_dir());
        for directory in [self.pin_dir(), self.run_dir(), self.directory()] {
            let _gone = fs::remove_dir_all(directory);
        }
    }
}

impl Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Waits for its turn: labs of all processes together run as many at once as there are cores.
pub(super) fn turn() -> Result<Flock<File>> {
    let slots = thread::available_parallelism()?.get();
    wait::until("free slot for a lab", wait::SOON * 60, || {
        for slot in 0..slots {
            if let Ok(taken) =
                Flock::lock(open(&format!("slot.{slot}"))?, FlockArg::LockExclusiveNonblock)
            {
                return Ok(Some(taken));
            }
        }
        Ok(None)
    })
}

/// Waits for a lock that all processes share.
pub(super) fn lock(name: &str) -> Result<Flock<File>> {
    Flock::lock(open(&format!("lock.{name}"))?, FlockArg::LockExclusive)
        .map_err(|(_, error)| anyhow!("lock {name}: {error}"))
}

/// Removes what labs of dead processes left.
pub(super) fn sweep() -> Result<()> {
    let _lock = lock("sweep")?;
    for entry in fs::read_dir(DIRECTORY)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            Name(name).scrub();
        }
    }
    Ok(())
}

/// Makes sure that /sys/fs/bpf is a bpffs before several agents want to mount one there at once.
pub(super) fn bpffs() -> Result<()> {
    let _lock = lock("bpffs")?;
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let is_mounted = |line: &str| line.split(' ').nth(1) == Some(BPFFS) && line.contains(" bpf ");
    if !mounts.lines().any(is_mounted) {
        command::run("mount", &["-t", "bpf", "bpf", BPFFS])?;
    }
    Ok(())
}

fn open(name: &str) -> Result<File> {
    fs::create_dir_all(DIRECTORY)?;
    let path = Path::new(DIRECTORY).join(name);
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    options.open(&path).with_context(|| format!("open {}", path.display()))
}

fn unmount_below(directory: &Path) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    for point in points.filter(|point| Path::new(point).starts_with(directory)) {
        let _gone = command::run("umount", &["-l", point]);
    }
}

const PREFIX: &str = "wl";
const AGENT: &str = "waypoint-";
const BPFFS: &str = "/sys/fs/bpf";
const DIRECTORY: &str = "/run/waypoint-lab";
