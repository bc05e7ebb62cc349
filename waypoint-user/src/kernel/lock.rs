//! One process at a time: a lock on the run directory, which the kernel drops with its holder.
//!
//! The lock belongs to the open file, so a process that is given it by another holds it together
//! with that one, and alone once the other has ended. So does, for a moment, every child that this
//! process starts, which is why a lock that nobody was given is let go of in so many words.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::fs::FileExt as _,
    },
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use super::Error;

/// The lock, held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    /// Whether another process has it too, or had it before.
    is_shared: AtomicBool,
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
        let lock = Self { file, is_shared: AtomicBool::new(false) };
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
        Self { file: File::from(file), is_shared: AtomicBool::new(true) }
    }

    /// Writes down that this process has it.
    pub(super) fn sign(&self, run_dir: &Path) -> Result<(), Error> {
        let signature = format!("{}\n", std::process::id());
        // By offset, because the file's own is shared too.
        let signed = self.file.set_len(0);
        let signed = signed.and_then(|()| self.file.write_all_at(signature.as_bytes(), 0));
        signed.map_err(Error::file(path(run_dir)))
    }

    /// What is passed on to share it, which it is from now on.
    pub(super) fn share(&self) -> BorrowedFd<'_> {
        self.is_shared.store(true, Ordering::Relaxed);
        self.file.as_fd()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if !*self.is_shared.get_mut() {
            // It can only fail where the file is no open file.
            let _ = self.file.unlock();
        }
    }
}

/// The lock file of a run directory.
pub(super) fn path(run_dir: &Path) -> PathBuf {
    run_dir.join("lock")
}

#[cfg(test)]
mod tests;
