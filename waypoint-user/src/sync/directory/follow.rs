//! Following the directory by inotify.
//!
//! It reads no file itself. What a symbolic link points to outside the directory is not followed,
//! but for links that are replaced inside it, as mounted ConfigMaps do.

use std::{
    collections::BTreeSet,
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::StreamExt;
use inotify::{EventMask, EventOwned, EventStream, Inotify, WatchMask};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::sync::{
    Settings,
    outlet::{Outlet, Reading},
};

use super::{
    Place, QUIET_WAITS_MAX, reading,
    scan::{Scan, is_manifest},
};

/// Events of a watched directory.
type Events = EventStream<[u8; EVENT_BYTES]>;
/// Device and inode, which tell directories apart.
type Identity = (u64, u64);

/// What changed since the directory was read last.
#[derive(Debug, Default)]
struct Changes {
    /// Something, if only that a file is gone.
    any: bool,
    /// Any file may have changed.
    all: bool,
    /// These files changed.
    names: BTreeSet<String>,
}

/// Follows one directory.
#[derive(Debug)]
pub(super) struct Follower {
    directory: PathBuf,
    quiet: Duration,
    /// The directory that is watched, if one is.
    identity: Option<Identity>,
    events: Events,
    changes: Changes,
}

impl Follower {
    /// Begins to collect events.
    pub(super) fn new(place: &Place) -> io::Result<Self> {
        let (events, identity) = listen(&place.path)?;
        let (identity, changes) = (Some(identity), Changes::default());
        Ok(Self { directory: place.path.clone(), quiet: place.quiet, identity, events, changes })
    }

    /// Reads and publishes after every change, until shutdown.
    pub(super) async fn run(
        mut self,
        settings: Settings,
        mut scan: Scan,
        outlet: Outlet,
        shutdown: CancellationToken,
    ) {
        let settings = Arc::new(settings);
        let mut recheck = interval(RECHECK);
        recheck.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.settle() => {}
                _ = recheck.tick() => {
                    if !self.is_elsewhere() {
                        continue;
                    }
                    self.listen_again();
                }
            }
            let changes = std::mem::take(&mut self.changes);
            let settings = Arc::clone(&settings);
            // Files may be many and slow, and the threads here serve others too.
            let read = tokio::task::spawn_blocking(move || {
                let reading = reread(&mut scan, &changes, &settings);
                (scan, reading)
            });
            let Ok((returned, reading)) = read.await else { return };
            scan = returned;
            outlet.publish(reading);
        }
    }

    /// Collects events until there is a change and the directory was quiet for a while. It may be
    /// dropped at any await: what it collected stays.
    async fn settle(&mut self) {
        let quiet = self.quiet;
        while !self.changes.any {
            match self.events.next().await {
                Some(event) => self.collect(event),
                None => std::future::pending().await,
            }
        }
        let latest = Instant::now() + quiet * QUIET_WAITS_MAX;
        loop {
            let until = latest.min(Instant::now() + quiet);
            match timeout_at(until, self.events.next()).await {
                Ok(Some(event)) => self.collect(event),
                Ok(None) | Err(_) => return,
            }
            if Instant::now() >= latest {
                return;
            }
        }
    }

    /// Notes what an event means.
    fn collect(&mut self, event: io::Result<EventOwned>) {
        let Ok(event) = event else {
            self.changes.all = true;
            self.changes.any = true;
            return;
        };
        if event.mask.contains(EventMask::Q_OVERFLOW) {
            self.changes.all = true;
            self.changes.any = true;
        }
        let Some(name) = event.name.as_ref().and_then(|name| name.to_str()) else { return };
        let path = self.directory.join(name);
        let created = event.mask.contains(EventMask::CREATE);
        if is_manifest(name) {
            // A new file is read when its writer closes it; a new name of a file is never closed.
            if !created || is_link(&path) {
                self.changes.any = true;
                self.changes.names.insert(name.to_owned());
            }
        } else if event.mask.intersects(EventMask::CREATE | EventMask::MOVED_TO)
            && path.is_symlink()
        {
            self.changes.all = true;
            self.changes.any = true;
        }
    }

    /// Whether the path leads to another directory than the watched one, or to none.
    fn is_elsewhere(&self) -> bool {
        let found = identity(&self.directory).ok();
        found.is_none() || found != self.identity
    }

    /// Watches the directory that the path leads to now.
    fn listen_again(&mut self) {
        self.identity = None;
        if let Ok((events, identity)) = listen(&self.directory) {
            self.events = events;
            self.identity = Some(identity);
        }
        self.changes.all = true;
        self.changes.any = true;
    }
}

/// Reads what changed and translates everything.
fn reread(scan: &mut Scan, changes: &Changes, settings: &Settings) -> Reading {
    let read = if changes.all { scan.read_all() } else { scan.read_some(&changes.names) };
    if let Err(cause) = read {
        scan.note(&cause);
    }
    reading(scan, settings)
}

/// Begins to watch a directory.
fn listen(directory: &Path) -> io::Result<(Events, Identity)> {
    let inotify = Inotify::init()?;
    let mask = WatchMask::CLOSE_WRITE
        | WatchMask::CREATE
        | WatchMask::DELETE
        | WatchMask::MOVED_FROM
        | WatchMask::MOVED_TO
        | WatchMask::ONLYDIR;
    inotify.watches().add(directory, mask)?;
    let identity = identity(directory)?;
    Ok((inotify.into_event_stream([0; EVENT_BYTES])?, identity))
}

/// Tells directories apart.
fn identity(path: &Path) -> io::Result<Identity> {
    std::fs::metadata(path).map(|found| (found.dev(), found.ino()))
}

/// Whether the path is a symbolic link, or one of several names of a file.
fn is_link(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink() || found.nlink() > 1)
}

/// Room for the events of one read.
const EVENT_BYTES: usize = 4096;
/// How often to look whether the path still leads to the watched directory.
const RECHECK: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
