//! Where this node's pods are, when nobody says it: by their processes.
//!
//! A pod's network namespace has no name outside the CNI plug-in that made it. But every process of
//! the pod is in a control group that the kubelet named by the pod's uid, and has the namespace as
//! its own; so both are found in `/proc`, also of pods that started long before. That needs the
//! process ids of the node (`hostPID`), and the right to look at processes of others.
//!
//! It proposes a namespace; that a pod's address is really in it is made sure of by `pods`.
//!
//! **Invariant:** what is known was true when it was asked for last: a process that ended, or whose
//! number went to another, is forgotten.
//! **Invariant:** nothing is held open, so that a deleted pod goes entirely.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    path::Path,
    sync::Arc,
    time::Instant,
};

use super::{blocking, netns::Netns, pods};
use crate::{mesh::workload::NetnsRef, telemetry::metrics::Limit};
use pace::Pace;
use scan::Spot;

mod cgroup;
mod pace;
mod scan;

/// A pod that is looked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Sought {
    /// Its uid.
    pub(super) uid: Arc<str>,
    /// Its addresses.
    pub(super) addresses: Vec<IpAddr>,
}

/// What is known of the pods that are looked for.
#[derive(Debug)]
pub(super) struct Whereabouts {
    known: HashMap<Arc<str>, Spot>,
    missing: HashSet<Arc<str>>,
    pace: Pace,
    /// Counts looks that did not get to the end.
    cut: Limit,
}

impl Whereabouts {
    /// Nothing yet.
    pub(super) fn new(cut: Limit) -> Self {
        Self { known: HashMap::new(), missing: HashSet::new(), pace: Pace::default(), cut }
    }

    /// Follows a change of the pods that are looked for or, with `links_changed`, of the host's
    /// links, and looks for those that are not known if it is time.
    pub(super) async fn follow(&mut self, sought: Vec<Sought>, links_changed: bool) {
        let wanted: HashSet<Arc<str>> = sought.iter().map(|pod| Arc::clone(&pod.uid)).collect();
        self.known.retain(|uid, spot| wanted.contains(uid) && is_there(spot));
        let known = |uid: &&Arc<str>| self.known.contains_key(*uid);
        let missing: HashSet<Arc<str>> = wanted.iter().filter(|u| !known(u)).cloned().collect();
        if links_changed || !missing.is_subset(&self.missing) {
            self.pace.hurry();
        }
        self.missing = missing;
        let now = Instant::now();
        if self.missing.is_empty() || !self.pace.is_due(now) {
            return;
        }
        let missing = self.missing.clone();
        let look = move || search(&missing, &sought);
        // At shutdown there is no answer, and nobody who asks.
        let Some((found, cut)) = blocking::run(look).await else { return };
        self.pace.looked(now);
        if cut {
            self.cut.hit();
        }
        for (uid, spot) in found {
            tracing::debug!(%uid, pid = spot.pid, "a pod's network namespace was found");
            self.missing.remove(&uid);
            self.known.insert(uid, spot);
        }
    }

    /// Whether a pod of this uid can be found at all: a manifest that nobody stored has none.
    pub(super) fn can_find(uid: &str) -> bool {
        cgroup::is_uid(uid)
    }

    /// The namespace of a pod.
    pub(super) fn of(&self, uid: &str) -> Option<NetnsRef> {
        self.known.get(uid).map(|spot| NetnsRef::Pid(spot.pid))
    }

    /// The namespaces of all pods that are known.
    pub(super) fn all(&self) -> HashMap<Arc<str>, NetnsRef> {
        let each = |(uid, spot): (&Arc<str>, &Spot)| (Arc::clone(uid), NetnsRef::Pid(spot.pid));
        self.known.iter().map(each).collect()
    }

    /// Whether a process is gone that was known.
    pub(super) fn has_lost(&self) -> bool {
        !self.known.values().all(is_there)
    }

    /// Ends when it is time to look again; never while every pod is known.
    pub(super) async fn due(&self) {
        if self.missing.is_empty() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep_until(self.pace.next().into()).await;
    }
}

/// Whether a process is still where it was.
fn is_there(spot: &Spot) -> bool {
    scan::inode(&scan::netns_of(Path::new(PROC), spot.pid)) == Some(spot.netns)
}

/// Looks for pods, and says whether it did not get to the end.
fn search(missing: &HashSet<Arc<str>>, sought: &[Sought]) -> (Vec<(Arc<str>, Spot)>, bool) {
    let mut sighting = scan::look(Path::new(PROC), missing);
    let found = sought.iter().filter_map(|pod| {
        let spots = sighting.spots.remove(&pod.uid)?;
        Some((Arc::clone(&pod.uid), choose(&spots, &pod.addresses)?))
    });
    (found.collect(), sighting.cut)
}

/// The spot whose namespace has an address of the pod. Most pods have but one; processes can make
/// more, and monitors of runtimes may be elsewhere.
fn choose(spots: &[Spot], addresses: &[IpAddr]) -> Option<Spot> {
    let has_address = |spot: &&Spot| {
        let netns = Netns::open(&scan::netns_of(Path::new(PROC), spot.pid));
        netns.is_ok_and(|netns| pods::has_one(&netns, addresses).unwrap_or(false))
    };
    match spots {
        [only] => Some(*only),
        several => several.iter().find(has_address).or(several.first()).copied(),
    }
}

const PROC: &str = "/proc";
