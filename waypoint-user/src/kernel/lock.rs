//! One process at a time: a lock on the run directory, which the kernel drops with its holder.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};

use super::Error;

/// The lock, held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: Flock<File>,
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
        let mut file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(file) => file,
            Err((_, Errno::EWOULDBLOCK)) => {
                let holder = fs::read_to_string(&path).unwrap_or_default();
                return Err(Error::Busy { path, holder: holder.trim().to_owned() });
            }
            Err((_, errno)) => return Err(Error::File { path, source: errno.into() }),
        };
        file.set_len(0).map_err(Error::file(&path))?;
        writeln!(file, "{}", std::process::id()).map_err(Error::file(&path))?;
        Ok(Self { _file: file })
    }
}

/// The lock file of a run directory.
pub(super) fn path(run_dir: &Path) -> PathBuf {
    run_dir.join("lock")
}

#[cfg(test)]
mod tests;
