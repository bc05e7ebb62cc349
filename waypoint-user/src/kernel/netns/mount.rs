//! Files that stand for namespaces, in the manner of `ip netns`: bind mounts in a directory that is
//! a shared mount itself, so that programs in other mount namespaces see them come and go.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use nix::{
    errno::Errno,
    mount::{MntFlags, MsFlags, mount, umount2},
};

/// Binds `source` at `path`, in the place of what is there.
pub(super) fn bind(source: &Path, path: &Path) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
        share(directory)?;
    }
    detach(path)?;
    File::create(path)?;
    mount(Some(source), path, NONE, MsFlags::MS_BIND, NONE).map_err(io::Error::from)
}

/// Undoes [`bind`], and unmounts and removes the directory if nothing else is in it.
pub(super) fn unbind(path: &Path) -> io::Result<()> {
    detach(path)?;
    fs::remove_file(path)?;
    if let Some(directory) = path.parent()
        && fs::read_dir(directory)?.next().is_none()
    {
        detach(directory)?;
        // Another may have put a namespace there in the meantime; then it stays.
        let _ = fs::remove_dir(directory);
    }
    Ok(())
}

/// Makes the directory a shared mount; first a mount at all, if it is none.
fn share(directory: &Path) -> io::Result<()> {
    let shared = MsFlags::MS_SHARED | MsFlags::MS_REC;
    match mount(NONE, directory, NONE, shared, NONE) {
        Err(Errno::EINVAL) => {
            mount(Some(directory), directory, NONE, MsFlags::MS_BIND | MsFlags::MS_REC, NONE)?;
            mount(NONE, directory, NONE, shared, NONE).map_err(io::Error::from)
        }
        outcome => outcome.map_err(io::Error::from),
    }
}

/// Unmounts everything that is mounted exactly there.
fn detach(path: &Path) -> io::Result<()> {
    loop {
        match umount2(path, MntFlags::MNT_DETACH) {
            Ok(()) => {}
            Err(Errno::EINVAL | Errno::ENOENT) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        }
    }
}

const NONE: Option<&Path> = None;
