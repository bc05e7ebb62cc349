//! The API server of a cluster as the source: read once, or read and watched.
//!
//! Every object becomes the document that a manifest of it would be, and goes through the same
//! admission and translation. It writes nothing back.
//!
//! **Invariant:** the first Snapshot is made of everything that was there when it was asked for;
//! policies that cannot be read keep it from being made.
//! **Invariant:** a server that cannot be reached, refuses, or forgets leaves the last state in
//! force.

mod access;
mod counts;
mod definitions;
mod failure;
mod follow;
mod kinds;
mod news;
mod pace;
mod plan;
mod prune;
mod raw;
mod selection;
mod served;
mod store;
mod watcher;

use std::sync::Arc;

use kube::Client;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{
    mesh::{object::ObjectName, report::Report, snapshot::Snapshot},
    telemetry::task,
};

use self::{
    access::connect_once, failure::Failure, follow::Follower, kinds::KINDS, news::Change,
    selection::Selection, store::Store, watcher::listing::Listing,
};
use super::{Feed, Settings, outlet::Outlet, translate};

pub use self::{
    access::{Access, Error, connect},
    counts::Counts,
    pace::Pace,
};

/// A cluster, and how much of it is read.
#[derive(Clone, Debug)]
pub struct Place {
    /// How its API server is reached.
    pub access: Access,
    /// What of it is read.
    pub scope: Scope,
    /// How fast.
    pub pace: Pace,
}

impl Place {
    /// So much of this cluster.
    pub fn new(access: Access, scope: Scope) -> Self {
        Self { access, scope, pace: Pace::default() }
    }
}

/// What of a cluster is read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Scope {
    /// Everything.
    #[default]
    Whole,
    /// What the agent of this node needs.
    Node(String),
    /// What the pods of this waypoint need.
    Waypoint(ObjectName),
}

/// Reads everything of the cluster once; what must not be read is told of in the Report.
pub(super) async fn read(place: &Place, settings: &Settings) -> Result<(Snapshot, Report), Error> {
    let client = connect(&place.access).await?;
    let mut store = Store::default();
    for kind in KINDS {
        let selection = Arc::new(Selection::all(kind));
        store.add(Arc::clone(&selection));
        let listed = timeout(place.pace.answer, list(&client, &selection, &mut store)).await;
        match listed.unwrap_or(Err(Failure::Silent)) {
            Ok(()) => {}
            Err(failure @ Failure::Denied(_)) => {
                let change = Change::Failing { told: failure.to_string(), is_denied: true };
                store.take(&selection, change);
            }
            Err(failure) => return Err(Error::Unreadable(format!("{selection}: {failure}"))),
        }
    }
    let (objects, report) = store.merge();
    Ok(translate(&objects, &settings.mesh, settings.waypoints, report))
}

/// Lists a selection once.
async fn list(
    client: &Client,
    selection: &Arc<Selection>,
    store: &mut Store,
) -> Result<(), Failure> {
    let kind = selection.kind;
    let Some(version) = served::version(client, kind).await? else {
        store.take(selection, Change::NotServed);
        return Ok(());
    };
    let api = kind.api_version(version);
    let mut listing = Listing::new(client, selection, version);
    while listing.version().is_none() {
        let page = listing.page().await?.into_iter();
        let documents = page.filter_map(|raw| raw.into_document(kind, &api)).collect();
        store.take(selection, Change::Listed(documents));
    }
    store.take(selection, Change::Complete);
    Ok(())
}

/// Reads the cluster and follows it until shutdown. It waits for as long as the server cannot be
/// reached or does not let what is vital be read.
pub(super) async fn watch(
    place: Place,
    settings: Settings,
    shutdown: CancellationToken,
) -> Result<Feed, Error> {
    let client = connect_once(&place.access).await?;
    let counts = Arc::new(Counts::default());
    let mut follower = Follower::new(client, place, settings, Arc::clone(&counts));
    let first = shutdown.run_until_cancelled(follower.first()).await.flatten();
    let (outlet, feed) = Outlet::new(first.ok_or(Error::Stopped)?);
    let follower = task::spawn("cluster", follower.run(outlet, shutdown));
    Ok(feed.followed_by(follower, Some(counts)))
}
