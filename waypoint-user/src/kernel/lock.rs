//! One process at a time: a lock on the run directory, which the kernel drops with its holder.
//!
//! The lock belongs to the open file, so a process that is given it by another holds it together
//! with that one, and alone once the other has ended.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::fs::FileExt as _,
    },
    path::{Path, PathBuf},
};

use super::Error;

/// The lock, held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock, or says who has it.
    pub(super) fn take(run_dir: &Path) -> Result<Self, Error> {
        let path = path(run_dir);
        fs::create_dir_all(run_dir).map_err(Error::file(run_dir))?;
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(Error::file(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = fs::read_to_string(&path).unwrap_or_default();
                return Err(Error::Busy { path, holder: holder.trim().to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(Error::File { path, source }),
        }
        let lock = Self { file };
        lock.sign(run_dir)?;
        Ok(lock)
    }

    /// Whether a process has the lock.
    pub(super) fn is_taken(run_dir: &Path) -> bool {
        let file = File::open(path(run_dir));
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// The lock that another process passed on.
    pub(super) fn shared(file: OwnedFd) -> Self {
        Self { file: File::from(file) }
    }

    /// Writes down that this process has it.
    pub(super) fn sign(&self, run_dir: &Path) -> Result<(), Error> {
        let signature = format!("{}\n", std::process::id());
        // By offset, because the file's own is shared too.
        let signed = self.file.set_len(0);
        let signed = signed.and_then(|()| self.file.write_all_at(signature.as_bytes(), 0));
        signed.map_err(Error::file(path(run_dir)))
    }

    /// What is passed on to share it.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// The lock file of a run directory.
pub(super) fn path(run_dir: &Path) -> PathBuf {
    run_dir.join("lock")
}

#[cfg(test)]
mod tests;
