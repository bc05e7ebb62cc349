//! A directory of manifests as the source: read once, or read and followed.
//!
//! Files that end in `.yaml`, `.yml` or `.json` count, hidden files and subdirectories do not.
//!
//! **Invariant:** a file is read only after its writer closed it or renamed it into place.
//! **Invariant:** a directory that vanishes leaves the last good state in force.

mod follow;
mod scan;

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    mesh::{report::Report, snapshot::Snapshot},
    telemetry::task,
};

use super::{Error, Feed, Settings, translate};
use follow::{Follower, Outlet};
use scan::Scan;

/// How many times the quiet time a stream of changes may delay reading.
pub const QUIET_WAITS_MAX: u32 = 3;

/// Reads the directory once.
pub fn read(settings: &Settings) -> Result<(Snapshot, Report), Error> {
    let mut scan = Scan::new(&settings.manifests);
    scan.read_all().map_err(|cause| absent(settings, cause))?;
    let (objects, report) = scan.merge();
    Ok(translate(&objects, &settings.mesh, settings.waypoints, report))
}

/// Reads the directory and follows it until shutdown; needs a tokio runtime.
pub fn watch(settings: Settings, shutdown: CancellationToken) -> Result<Feed, Error> {
    let follow = |cause| Error::Follow { path: settings.manifests.clone(), cause };
    // Watched before it is read, so that nothing is missed in between.
    let follower = Follower::new(&settings.manifests).map_err(|cause| match cause.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
            absent(&settings, cause)
        }
        _ => follow(cause),
    })?;
    let mut scan = Scan::new(&settings.manifests);
    scan.read_all().map_err(|cause| absent(&settings, cause))?;
    let (objects, report) = scan.merge();
    let (snapshot, report) = translate(&objects, &settings.mesh, settings.waypoints, report);
    super::journal::log(&Report::default(), &report);
    let (snapshot_sender, snapshots) = watch::channel(Arc::new(snapshot));
    let (report_sender, reports) = watch::channel(Arc::new(report));
    let (generation_sender, generation) = watch::channel(1);
    let outlet = Outlet {
        snapshots: snapshot_sender,
        reports: report_sender,
        generation: generation_sender,
    };
    let follower = task::spawn("manifests", follower.run(settings, scan, outlet, shutdown));
    Ok(Feed { snapshots, reports, generation, follower })
}

/// The directory cannot be read at all.
fn absent(settings: &Settings, cause: std::io::Error) -> Error {
    Error::Directory { path: settings.manifests.clone(), cause }
}

#[cfg(test)]
mod tests;
