//! Status of Services, entries, routes and policies: what was decided about them, written where
//! people and tools look.
//!
//! It decides nothing: conditions come with the Report that enforcement goes by, and that a route
//! is in force is said by the waypoints themselves.
//!
//! **Invariant:** nothing is written where an object says already what is to be said.
//! **Invariant:** what other controllers say of an object stays as it is.
//! **Invariant:** no more than [`WRITES_MAX`] writes are under way at a time, and what another
//! controller overwrites again and again is left to it.

mod applied;
mod ask;
mod current;
mod entry;
mod kind;
mod ledger;
mod merge;
mod programmed;
mod wanted;
mod write;

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use kube::Client;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    mesh::object::ObjectRef,
    sync::State,
    telemetry::metrics::{Limit, Registry},
};

use self::{
    applied::Applied,
    ledger::{Due, Ledger},
    wanted::Wanted,
    write::{Outcome, Writes},
};

/// Writes status; clones count together.
#[derive(Clone)]
pub struct Status {
    writes: Writes,
    port: u16,
    registry: Registry,
}

impl Status {
    /// Writes by this client. Waypoints say at this port of their pods what they apply.
    pub fn new(client: Client, port: u16, registry: &Registry) -> Self {
        let writes = Writes::new(client, registry);
        Self { writes, port, registry: registry.clone() }
    }

    /// Writes status until the token is cancelled; only whoever leads may.
    pub async fn run(self, states: watch::Receiver<State>, token: CancellationToken) {
        let applied = applied::follow(states.clone(), self.port, &self.registry, &token);
        let round = Round {
            writes: self.writes,
            contested: self.registry.limit("status_contested"),
            ledger: Ledger::default(),
            queue: VecDeque::new(),
            under_way: FuturesUnordered::new(),
            retry: None,
        };
        token.run_until_cancelled(round.run(states, applied)).await;
    }
}

/// What is to be written, and what is being.
struct Round {
    writes: Writes,
    contested: Limit,
    ledger: Ledger,
    queue: VecDeque<Wanted>,
    under_way: FuturesUnordered<BoxFuture<'static, (ObjectRef, Outcome)>>,
    /// When something that failed is to be tried again.
    retry: Option<Instant>,
}

impl Round {
    async fn run(
        mut self,
        mut states: watch::Receiver<State>,
        mut applied: watch::Receiver<Arc<Applied>>,
    ) {
        loop {
            let state = states.borrow_and_update().clone();
            let told = Arc::clone(&applied.borrow_and_update());
            self.plan(&state, &told);
            if self.until_news(&mut states, &mut applied).await.is_none() {
                return;
            }
        }
    }

    /// Looks for what differs from what is to be said.
    fn plan(&mut self, state: &State, applied: &Applied) {
        let now = Instant::now();
        self.queue.clear();
        self.retry = None;
        let mut known = HashSet::new();
        for wanted in wanted::wanted(state, applied) {
            known.insert(wanted.object.clone());
            match self.ledger.due(&wanted, now) {
                Due::Now => self.queue.push_back(wanted),
                Due::At(time) => {
                    self.retry = Some(self.retry.map_or(time, |known| known.min(time)));
                }
                Due::Contested => {
                    self.contested.hit();
                    tracing::warn!(object = %wanted.object,
                        "another controller overwrites the status again and again; it is left");
                }
                Due::Never => {}
            }
        }
        self.ledger.retain(&known);
    }

    /// Writes until there is something new to look at; nothing when nobody will say any more.
    async fn until_news(
        &mut self,
        states: &mut watch::Receiver<State>,
        applied: &mut watch::Receiver<Arc<Applied>>,
    ) -> Option<()> {
        loop {
            self.start();
            let retry = self.retry.unwrap_or_else(|| Instant::now() + FOREVER);
            tokio::select! {
                changed = states.changed() => {
                    changed.ok()?;
                    break;
                }
                changed = applied.changed() => {
                    changed.ok()?;
                    break;
                }
                Some((object, outcome)) = self.under_way.next() => {
                    if let Some(time) = self.ledger.finished(&object, outcome, Instant::now()) {
                        self.retry = Some(self.retry.map_or(time, |known| known.min(time)));
                    }
                }
                () = sleep_until(retry) => return Some(()),
            }
        }
        sleep(QUIET).await;
        Some(())
    }

    /// Starts as many writes as may be under way.
    fn start(&mut self) {
        while self.under_way.len() < WRITES_MAX {
            let Some(wanted) = self.queue.pop_front() else { return };
            self.ledger.started(&wanted);
            let (writes, object) = (self.writes.clone(), wanted.object.clone());
            let write = async move { (object, writes.write(&wanted).await) };
            self.under_way.push(write.boxed());
        }
    }
}

/// The port of a waypoint's pod at which it says what it applies.
pub const STATUS_PORT: u16 = 15_021;

/// How many writes are under way at a time; the others wait.
const WRITES_MAX: usize = 8;
/// How long after a change it is looked at, as the next one often follows, and waypoints apply a
/// route in that time.
const QUIET: Duration = Duration::from_millis(100);
/// Longer than anything is waited for.
const FOREVER: Duration = Duration::from_hours(1);
