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
//! **Invariant:** nothing waits for a look, however many processes and missing pods there are.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    path::Path,
    sync::Arc,
    time::Instant,
};

use tokio::task::{JoinHandle, spawn_blocking};

use super::{netns::Netns, pods};
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
    /// Missing pods that the look that is under way, or was the last, looks for.
    asked: HashSet<Arc<str>>,
    /// Missing pods that were looked for in vain, or that are known no more.
    unfound: HashSet<Arc<str>>,
    looking: Option<JoinHandle<Found>>,
    pace: Pace,
    /// Counts looks that did not get to the end.
    cut: Limit,
}

/// The pods that a look has found, and whether it did not get to the end.
type Found = (Vec<(Arc<str>, Spot)>, bool);

impl Whereabouts {
    /// Nothing yet.
    pub(super) fn new(cut: Limit) -> Self {
        Self {
            known: HashMap::new(),
            missing: HashSet::new(),
            asked: HashSet::new(),
            unfound: HashSet::new(),
            looking: None,
            pace: Pace::default(),
            cut,
        }
    }

    /// Follows a change of the pods that are looked for or, with `links_changed`, of the host's
    /// links, and begins to look for those that are not known if it is time.
    pub(super) fn follow(&mut self, sought: Vec<Sought>, links_changed: bool) {
        let wanted: HashSet<Arc<str>> = sought.iter().map(|pod| Arc::clone(&pod.uid)).collect();
        self.known.retain(|uid, spot| {
            let stays = is_there(spot);
            if !stays {
                self.unfound.insert(Arc::clone(uid));
            }
            stays && wanted.contains(uid)
        });
        self.unfound.retain(|uid| wanted.contains(uid));
        let known = |uid: &&Arc<str>| self.known.contains_key(*uid);
        self.missing = wanted.iter().filter(|uid| !known(uid)).cloned().collect();
        if links_changed || !self.missing.is_subset(&self.asked) {
            self.pace.hurry();
        }
        let is_due = self.looking.is_none() && self.pace.is_due(Instant::now());
        if self.missing.is_empty() || !is_due {
            return;
        }
        self.asked.clone_from(&self.missing);
        let missing = self.missing.clone();
        self.looking = Some(spawn_blocking(move || search(&missing, &sought)));
    }

    /// Waits for the look that is under way, if there is one.
    pub(super) async fn looked(&mut self) {
        let Some(looking) = &mut self.looking else { return };
        // At shutdown there is no answer.
        let (found, cut) = looking.await.unwrap_or_default();
        self.looking = None;
        self.pace.looked(Instant::now());
        if cut {
            self.cut.hit();
        }
        for (uid, spot) in found {
            tracing::debug!(%uid, pid = spot.pid, "a pod's network namespace was found");
            self.missing.remove(&uid);
            self.asked.remove(&uid);
            self.unfound.remove(&uid);
            self.known.insert(uid, spot);
        }
        self.unfound.extend(self.asked.iter().cloned());
    }

    /// Whether it is not known yet whether a pod can be found.
    pub(super) fn is_open(&self, uid: &str) -> bool {
        self.missing.contains(uid) && !self.unfound.contains(uid)
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

    /// Ends when a look has ended or it is time for one; never while every pod is known.
    pub(super) async fn due(&mut self) {
        if self.looking.is_some() {
            return self.looked().await;
        }
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

/// Looks for pods.
fn search(missing: &HashSet<Arc<str>>, sought: &[Sought]) -> Found {
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

#[cfg(test)]
mod tests;
