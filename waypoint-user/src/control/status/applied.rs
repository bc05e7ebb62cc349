//! What the pods of waypoints say that they apply.
//!
//! It judges nothing; `programmed` does.
//!
//! **Invariant:** no more than [`ASKED_MAX`] pods are asked, each by one connection.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::SocketAddr,
    sync::Arc,
};

use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    mesh::{
        object::{ObjectName, ObjectRef, Version},
        snapshot::Snapshot,
        waypoint::Placement,
        workload::Workload,
    },
    sync::State,
    telemetry::{
        metrics::{Limit, Registry},
        task,
    },
};

use super::ask;

/// What each pod said last, by its uid.
#[derive(Clone, Debug, Default)]
pub(super) struct Applied {
    pods: BTreeMap<Arc<str>, Arc<Routes>>,
}

impl Applied {
    /// What a pod said, if it said anything.
    pub(super) fn of_pod(&self, uid: &str) -> Option<&Routes> {
        self.pods.get(uid).map(AsRef::as_ref)
    }

    /// The same, and what this pod says now.
    #[cfg(test)]
    pub(super) fn with(mut self, uid: &str, routes: Routes) -> Self {
        self.pods.insert(uid.into(), Arc::new(routes));
        self
    }
}

/// The routes that a pod goes by.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Routes(HashMap<ObjectRef, Version>);

impl Routes {
    /// Whether this version of the route is among them.
    pub(super) fn have(&self, route: &ObjectRef, version: &Version) -> bool {
        self.0.get(route) == Some(version)
    }
}

impl FromIterator<(ObjectRef, Version)> for Routes {
    fn from_iter<I: IntoIterator<Item = (ObjectRef, Version)>>(routes: I) -> Self {
        Self(routes.into_iter().collect())
    }
}

/// What a pod answered.
pub(super) type Said = (Arc<str>, Routes);

/// Asks every ready pod of the waypoints that routes depend on, until the token is cancelled.
pub(super) fn follow(
    states: watch::Receiver<State>,
    port: u16,
    registry: &Registry,
    token: &CancellationToken,
) -> watch::Receiver<Arc<Applied>> {
    let (sender, receiver) = watch::channel(Arc::default());
    let (said, answers) = mpsc::channel(ANSWERS_MAX);
    let crowd = Crowd {
        port,
        asked: HashMap::new(),
        said,
        full: registry.limit("status_waypoint_pods"),
        applied: Applied::default(),
    };
    let follow = crowd.follow(states, answers, sender);
    let token = token.clone();
    task::spawn("applied routes", async move {
        token.run_until_cancelled(follow).await;
    });
    receiver
}

/// The pods that are asked.
struct Crowd {
    port: u16,
    asked: HashMap<Arc<str>, DropGuard>,
    said: mpsc::Sender<Said>,
    full: Limit,
    applied: Applied,
}

impl Crowd {
    async fn follow(
        mut self,
        mut states: watch::Receiver<State>,
        mut answers: mpsc::Receiver<Said>,
        sender: watch::Sender<Arc<Applied>>,
    ) {
        states.mark_changed();
        loop {
            tokio::select! {
                changed = states.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let snapshot = Arc::clone(&states.borrow_and_update().snapshot);
                    self.look(&snapshot);
                }
                Some((uid, routes)) = answers.recv() => {
                    if !self.asked.contains_key(&uid) {
                        continue;
                    }
                    self.applied.pods.insert(uid, Arc::new(routes));
                    sender.send_replace(Arc::new(self.applied.clone()));
                }
            }
        }
    }

    /// Begins to ask pods that are new, and forgets those that are gone.
    fn look(&mut self, snapshot: &Snapshot) {
        let pods = pods(snapshot);
        let known: HashSet<&str> = pods.iter().map(|pod| &*pod.uid).collect();
        self.asked.retain(|uid, _| known.contains(&**uid));
        self.applied.pods.retain(|uid, _| known.contains(&**uid));
        for pod in pods {
            if self.asked.contains_key(&pod.uid) {
                continue;
            }
            let Some(address) = pod.addresses.first() else { continue };
            if self.asked.len() >= ASKED_MAX {
                self.full.hit();
                return;
            }
            let address = SocketAddr::new(*address, self.port);
            let token = CancellationToken::new();
            let (uid, said) = (Arc::clone(&pod.uid), self.said.clone());
            let stop = token.clone();
            task::spawn("asking a waypoint", async move {
                stop.run_until_cancelled(ask::again_and_again(address, uid, said)).await;
            });
            self.asked.insert(Arc::clone(&pod.uid), token.drop_guard());
        }
    }
}

/// The ready pods of waypoints that stand before a route's parent.
fn pods(snapshot: &Snapshot) -> Vec<&Workload> {
    let routes = snapshot.all_routes();
    let parents = routes.flat_map(|route| &route.parents);
    let services = parents.filter_map(|parent| snapshot.services().get(&parent.service));
    let waypoints: HashSet<&ObjectName> =
        services.flat_map(|service| service.waypoints()).collect();
    let in_pods = waypoints.into_iter().filter(|name| {
        let waypoint = snapshot.waypoints().get(*name);
        waypoint.is_some_and(|waypoint| matches!(waypoint.placement, Placement::Pods(_)))
    });
    let pods = in_pods.flat_map(|name| snapshot.instances_of(name));
    pods.filter(|pod| pod.ready).map(AsRef::as_ref).collect()
}

/// How many pods are asked; what others apply is not known.
const ASKED_MAX: usize = 2048;
/// How many answers wait to be looked at; who has one more waits.
const ANSWERS_MAX: usize = 64;

#[cfg(test)]
mod tests;
