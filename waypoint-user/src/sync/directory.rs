//! A directory of manifests as the source: read once, or read and followed.
//!
//! Files that end in `.yaml`, `.yml` or `.json` count, hidden files and subdirectories do not.
//!
//! **Invariant:** a file is read only after its writer closed it or renamed it into place.
//! **Invariant:** a directory that vanishes leaves the last good state in force.

mod follow;
mod scan;

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{
    mesh::{report::Report, snapshot::Snapshot},
    telemetry::task,
};

use super::{
    Error, Feed, Settings,
    outlet::{Outlet, Reading},
    translate,
};
use follow::Follower;
use scan::Scan;

/// How many times the quiet time a stream of changes may delay reading.
pub const QUIET_WAITS_MAX: u32 = 3;

/// A directory of manifests.
#[derive(Clone, Debug)]
pub struct Place {
    /// The directory.
    pub path: PathBuf,
    /// How long the directory must be quiet before it is read again; a stream of changes is read at
    /// the latest after [`QUIET_WAITS_MAX`] times this.
    pub quiet: Duration,
}

impl Place {
    /// This directory, read soon after it changed.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), quiet: Duration::from_millis(20) }
    }
}

/// Reads the directory once.
pub fn read(place: &Place, settings: &Settings) -> Result<(Snapshot, Report), Error> {
    let mut scan = Scan::new(&place.path);
    scan.read_all().map_err(|cause| absent(place, cause))?;
    let (objects, report) = scan.merge();
    Ok(translate(&objects, &settings.mesh, settings.waypoints, report))
}

/// Reads the directory and follows it until shutdown; needs a tokio runtime.
pub(super) fn watch(
    place: &Place,
    settings: Settings,
    shutdown: CancellationToken,
) -> Result<Feed, Error> {
    let follow = |cause| Error::Follow { path: place.path.clone(), cause };
    // Watched before it is read, so that nothing is missed in between.
    let follower = Follower::new(place).map_err(|cause| match cause.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => absent(place, cause),
        _ => follow(cause),
    })?;
    let mut scan = Scan::new(&place.path);
    scan.read_all().map_err(|cause| absent(place, cause))?;
    let (outlet, feed) = Outlet::new(reading(&scan, &settings));
    let follower = task::spawn("manifests", follower.run(settings, scan, outlet, shutdown));
    Ok(feed.followed_by(follower, None))
}

/// What the files that were read mean.
fn reading(scan: &Scan, settings: &Settings) -> Reading {
    let (objects, report) = scan.merge();
    let (snapshot, report) = translate(&objects, &settings.mesh, settings.waypoints, report);
    Reading { objects: Arc::new(objects), snapshot: Arc::new(snapshot), report }
}

/// The directory cannot be read at all.
fn absent(place: &Place, cause: std::io::Error) -> Error {
    Error::Directory { path: place.path.clone(), cause }
}

#[cfg(test)]
mod tests;
