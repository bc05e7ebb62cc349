//! Network namespaces: opening, entering, making and removing them.
//!
//! It configures nothing inside a namespace; that is `agent_netns`.
//!
//! **Invariant:** only threads made here ever change their namespace, and they end before anything
//! else can run on them.

use std::{
    fs::{self, File},
    io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
        unix::fs::MetadataExt,
    },
    panic,
    path::{Path, PathBuf},
    thread,
};

use nix::{
    sched::{CloneFlags, setns, unshare},
    sys::statfs::{NSFS_MAGIC, statfs},
};

use super::netlink::Error;

mod mount;

/// An open network namespace; it lives at least as long as this.
#[derive(Debug)]
pub struct Netns {
    file: File,
    path: PathBuf,
    inode: u64,
}

impl Netns {
    /// Opens the namespace that a file stands for.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let broken = |source| Error::Netns { path: path.to_owned(), source };
        // Looked at before it is opened: opening a FIFO would wait for a writer.
        if statfs(path).map_err(io::Error::from).map_err(broken)?.filesystem_type() != NSFS_MAGIC {
            return Err(Error::NotNetns { path: path.to_owned() });
        }
        let file = File::open(path).map_err(broken)?;
        let inode = file.metadata().map_err(broken)?.ino();
        Ok(Self { file, path: path.to_owned(), inode })
    }

    /// The calling thread's namespace.
    pub fn current() -> Result<Self, Error> {
        Self::open(Path::new(OF_THIS_THREAD))
    }

    /// Makes a namespace that lasts until it is [removed](remove), with a file that stands for it.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let made = on_a_thread(path, || {
            unshare(CloneFlags::CLONE_NEWNET)?;
            Ok(Self::current())
        })??;
        made.bind(path)?;
        Self::open(path)
    }

    /// Lets a file stand for the namespace, in the place of what is at the path.
    pub fn bind(&self, path: &Path) -> Result<(), Error> {
        let source = PathBuf::from(format!("/proc/self/fd/{}", self.as_raw_fd()));
        mount::bind(&source, path).map_err(|source| Error::Netns { path: path.to_owned(), source })
    }

    /// A second handle on the same namespace.
    pub fn duplicate(&self) -> Result<Self, Error> {
        let file = self.file.try_clone();
        let file = file.map_err(|source| Error::Netns { path: self.path.clone(), source })?;
        Ok(Self { file, path: self.path.clone(), inode: self.inode })
    }

    /// What identifies the namespace among all that exist now.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// The file that it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs a closure on a thread of its own inside the namespace and waits for it. Sockets that it
    /// opens stay in the namespace when they leave the thread.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, Error> {
        on_a_thread(&self.path, || {
            setns(&self.file, CloneFlags::CLONE_NEWNET)?;
            Ok(work())
        })
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl AsRawFd for Netns {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

/// Takes the file of a namespace away, and with the last one the namespace; `false` if there was
/// none. A directory that [`Netns::create`] made for it goes too when it is empty.
pub fn remove(path: &Path) -> Result<bool, Error> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        _ => mount::unbind(path)
            .map(|()| true)
            .map_err(|source| Error::Netns { path: path.to_owned(), source }),
    }
}

fn on_a_thread<T: Send>(
    path: &Path,
    work: impl FnOnce() -> Result<T, nix::Error> + Send,
) -> Result<T, Error> {
    let outcome = thread::scope(|scope| {
        let thread = thread::Builder::new().name("netns".to_owned()).spawn_scoped(scope, work)?;
        Ok(thread.join().unwrap_or_else(|cause| panic::resume_unwind(cause)))
    });
    outcome
        .and_then(|entered: Result<T, nix::Error>| entered.map_err(io::Error::from))
        .map_err(|source| Error::Enter { path: path.to_owned(), source })
}

const OF_THIS_THREAD: &str = "/proc/thread-self/ns/net";

#[cfg(test)]
mod tests;
