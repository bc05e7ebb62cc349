//! Names of endpoints outside the cluster, and the addresses behind them.
//!
//! Which names there are the mesh says, never a client. An endpoint is chosen among addresses that
//! are known already; only who asks for a name first waits for it.
//!
//! **Invariant:** a worker knows at most [`NAMES_MAX`] names; one that nobody asked for in a while
//! is forgotten.
//! **Invariant:** an answer is used until there is a better one: while nobody answers the last
//! addresses stay, and only who says that there are none makes them go.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    future::Future,
    net::IpAddr,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use crate::{
    mesh::external::NamedEndpoint,
    telemetry::{metrics::Limit, task},
};

use super::limits::{
    NAME_IDLE, NAME_PATIENCE, NAME_TTL_MAX, NAME_TTL_MIN, NAME_TTL_NONE, NAMES_MAX,
};

pub(super) use self::counts::Counts;
pub(super) use self::dns::Dns;

mod counts;
mod dns;

/// What a lookup came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Answer {
    /// These addresses, for so long.
    Found(Vec<IpAddr>, Duration),
    /// The name has none.
    None,
    /// Nobody knows.
    Failed(String),
}

/// A lookup that is under way.
pub(super) type Looking = Pin<Box<dyn Future<Output = Answer>>>;

/// Somebody who looks names up.
pub(super) trait Lookup {
    /// Looks a name up.
    fn look_up(&self, name: &str) -> Looking;
}

/// The names that a worker knows. The default knows none, and nobody to ask.
#[derive(Default)]
pub(super) struct Names {
    lookup: Option<Box<dyn Lookup>>,
    known: RefCell<HashMap<String, Known>>,
    version: Cell<u64>,
    counts: Arc<Counts>,
    full: Limit,
}

/// What is known of a name.
struct Known {
    /// `None` until the first lookup ends.
    addresses: watch::Sender<Option<Rc<[IpAddr]>>>,
    wanted: Cell<Instant>,
}

impl Names {
    /// Names that are looked up so.
    pub(super) fn new(lookup: Box<dyn Lookup>, counts: Arc<Counts>, full: Limit) -> Self {
        Self { lookup: Some(lookup), counts, full, ..Self::default() }
    }

    /// Grows whenever an answer differs from the one before.
    pub(super) fn version(&self) -> u64 {
        self.version.get()
    }

    /// The addresses behind a name, if it was looked up already.
    pub(super) fn addresses(&self, name: &str) -> Option<Rc<[IpAddr]>> {
        let known = self.known.borrow();
        let known = known.get(name)?;
        known.wanted.set(Instant::now());
        known.addresses.borrow().clone()
    }

    /// Notes that names are still in use.
    pub(super) fn want(&self, endpoints: &[NamedEndpoint]) {
        if endpoints.is_empty() {
            return;
        }
        let (all, now) = (self.known.borrow(), Instant::now());
        for known in endpoints.iter().filter_map(|endpoint| all.get(&endpoint.host)) {
            known.wanted.set(now);
        }
    }

    /// Waits until names were looked up, or that took too long.
    pub(super) async fn settle(self: &Rc<Self>, names: &[String]) {
        let deadline = Instant::now() + NAME_PATIENCE;
        for name in names {
            let Some(mut answer) = self.follow(name) else { continue };
            let left = deadline.saturating_duration_since(Instant::now());
            // Whoever waits takes what there is afterwards, so that it does not matter how it ends.
            let _ = timeout(left, answer.wait_for(Option::is_some)).await;
        }
    }

    /// The answers of a name, which is looked up from now on.
    fn follow(self: &Rc<Self>, name: &str) -> Option<watch::Receiver<Option<Rc<[IpAddr]>>>> {
        let mut all = self.known.borrow_mut();
        if let Some(known) = all.get(name) {
            return Some(known.addresses.subscribe());
        }
        self.lookup.as_ref()?;
        if all.len() >= NAMES_MAX {
            self.full.hit();
            return None;
        }
        let (addresses, answer) = watch::channel(None);
        let known = Known { addresses, wanted: Cell::new(Instant::now()) };
        all.insert(name.to_owned(), known);
        self.counts.names_are(1, 0);
        task::spawn_local("name", keep(Rc::clone(self), name.to_owned()));
        Some(answer)
    }

    /// Takes an answer, and says when to ask again.
    fn take(&self, name: &str, answer: Answer) -> Duration {
        self.counts.count(&answer);
        let (addresses, after) = match answer {
            Answer::Found(addresses, ttl) => (addresses, ttl.clamp(NAME_TTL_MIN, NAME_TTL_MAX)),
            Answer::None => (Vec::new(), NAME_TTL_NONE),
            Answer::Failed(cause) => {
                tracing::warn!(name, cause, "a name of an endpoint could not be looked up");
                let last = self.addresses_now(name).unwrap_or_default();
                (last.to_vec(), NAME_TTL_NONE)
            }
        };
        let all = self.known.borrow();
        let Some(known) = all.get(name) else { return after };
        let differs = known.addresses.borrow().as_deref() != Some(addresses.as_slice());
        if differs {
            self.version.set(self.version.get() + 1);
            known.addresses.send_replace(Some(addresses.into()));
        }
        after
    }

    fn addresses_now(&self, name: &str) -> Option<Rc<[IpAddr]>> {
        self.known.borrow().get(name)?.addresses.borrow().clone()
    }

    /// Forgets a name that nobody asked for in a while, and says whether it did.
    fn forget_idle(&self, name: &str) -> bool {
        let mut all = self.known.borrow_mut();
        let is_idle = all.get(name).is_none_or(|known| known.wanted.get().elapsed() >= NAME_IDLE);
        if is_idle && all.remove(name).is_some() {
            self.counts.names_are(0, 1);
            self.version.set(self.version.get() + 1);
        }
        is_idle
    }
}

/// Looks a name up again and again, for as long as somebody asks for it.
async fn keep(names: Rc<Names>, name: String) {
    loop {
        let Some(looking) = names.lookup.as_ref().map(|lookup| lookup.look_up(&name)) else {
            return;
        };
        let mut answer = looking.await;
        if let Answer::Found(addresses, _) = &mut answer {
            // In one order, so that the same addresses are the same answer.
            addresses.sort_unstable();
            addresses.dedup();
        }
        let after = names.take(&name, answer);
        sleep(after).await;
        if names.forget_idle(&name) {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
