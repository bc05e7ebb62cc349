//! The task that asks for certificates, and what it shares with those who need them.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Error, REQUESTS_MAX, Settings,
    entries::{Entries, Priority, Status},
    metrics::Counts,
};
use crate::{
    identity::{
        Credentials, Issuer, Revocations, SigningRequest,
        credentials::Unusable,
        issuer::{FreshKey, Refusal},
        trust::Trusts,
    },
    mesh::spiffe::SpiffeId,
};

/// What the task and those who need credentials share.
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) counts: Counts,
    entries: Mutex<Entries>,
    /// What is held, for those who do not wait.
    held: RwLock<HashMap<Arc<SpiffeId>, Arc<Credentials>>>,
    wake: Notify,
    trusts: Trusts,
    revocations: Revocations,
}

impl Shared {
    pub(super) fn new(settings: Settings, revocations: Revocations) -> Self {
        Self {
            settings,
            counts: Counts::default(),
            entries: Mutex::default(),
            held: RwLock::default(),
            wake: Notify::new(),
            trusts: Trusts::new(revocations.clone()),
            revocations,
        }
    }

    pub(super) fn want(&self, identities: BTreeSet<Arc<SpiffeId>>) {
        let gone = self.entries().want(identities, Instant::now());
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        for identity in gone {
            held.remove(&identity);
        }
        drop(held);
        self.wake.notify_one();
    }

    pub(super) fn current(&self, identity: &SpiffeId) -> Option<Arc<Credentials>> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        held.get(identity).filter(|held| held.hold()).map(Arc::clone)
    }

    pub(super) fn ask(
        &self,
        identity: &SpiffeId,
        priority: Priority,
    ) -> Result<watch::Receiver<Status>, Error> {
        let asked = self.entries().ask(identity, priority, Instant::now());
        self.wake.notify_one();
        asked.ok_or_else(|| {
            self.counts.too_many();
            Error::TooMany(identity.to_string())
        })
    }

    pub(super) fn revocations(&self) -> Revocations {
        self.revocations.share()
    }

    /// How many certificates are held, and the time until the first of them ends.
    pub(super) fn held(&self) -> (usize, Option<Duration>) {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let first = held.values().map(|held| held.validity().not_after).min();
        let left = first.map(|end| end.duration_since(SystemTime::now()).unwrap_or_default());
        (held.len(), left)
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// An answer, and for whom it is.
type Answer = (Arc<SpiffeId>, Result<Credentials, Refusal>);

/// The task.
pub(super) struct Renewal {
    shared: Arc<Shared>,
    issuer: Arc<dyn Issuer>,
    under_way: FuturesUnordered<BoxFuture<'static, Answer>>,
}

impl Renewal {
    pub(super) fn new(shared: Arc<Shared>, issuer: Arc<dyn Issuer>) -> Self {
        Self { shared, issuer, under_way: FuturesUnordered::new() }
    }

    /// Asks for what is due, until shutdown.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        loop {
            self.start_due();
            let shared = Arc::clone(&self.shared);
            let full = self.under_way.len() >= REQUESTS_MAX;
            let next = if full { None } else { shared.entries().next_due() };
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = shared.wake.notified() => {}
                () = until(next) => {}
                Some(answer) = self.under_way.next() => self.take(answer),
            }
        }
        self.shared.entries().clear();
    }

    /// Starts what is due, as far as there is room.
    fn start_due(&mut self) {
        while self.under_way.len() < REQUESTS_MAX {
            let due = self.shared.entries().take_due(Instant::now());
            let Some(identity) = due else { return };
            let request = fetch(Arc::clone(&self.shared), Arc::clone(&self.issuer), identity);
            self.under_way.push(Box::pin(request));
        }
    }

    /// Takes one answer.
    fn take(&self, (identity, answer): Answer) {
        self.shared.counts.answered(&answer);
        match answer {
            Ok(credentials) => self.hold(Arc::new(credentials)),
            Err(cause) => {
                let failure =
                    Error::NotIssued { identity: identity.to_string(), cause: cause.to_string() };
                let wait = self.shared.entries().fail(&identity, failure, Instant::now());
                tracing::warn!(%identity, %cause, again_in = ?wait, "no certificate");
            }
        }
    }

    fn hold(&self, credentials: Arc<Credentials>) {
        let identity = Arc::clone(credentials.identity());
        let again = until_renewal(&credentials, SystemTime::now());
        tracing::debug!(%identity, renewed_in = ?again, "certificate");
        let mut entries = self.shared.entries();
        // Under the lock of the entries, so that what is forgotten meanwhile does not come back.
        let mut held = self.shared.held.write().unwrap_or_else(PoisonError::into_inner);
        if entries.hold(Arc::clone(&credentials), Instant::now() + again) {
            held.insert(identity, credentials);
        } else {
            held.remove(&identity);
        }
    }
}

/// Waits for a time, or forever.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}

/// The time until half of a life is over; where that is past already, half of what is left.
fn until_renewal(credentials: &Credentials, now: SystemTime) -> Duration {
    let validity = credentials.validity();
    let left = validity.not_after.duration_since(now).unwrap_or_default();
    validity.half_life().duration_since(now).unwrap_or(left / 2).max(RENEWAL_MIN)
}

/// Makes a key and asks for its certificate.
async fn fetch(shared: Arc<Shared>, issuer: Arc<dyn Issuer>, identity: Arc<SpiffeId>) -> Answer {
    let answer = match timeout(ANSWER_PATIENCE, obtain(&shared, &*issuer, &identity)).await {
        Ok(answer) => answer,
        Err(_) => Err(Refusal::Unreachable(format!("no answer in {ANSWER_PATIENCE:?}"))),
    };
    (identity, answer)
}

async fn obtain(
    shared: &Shared,
    issuer: &dyn Issuer,
    identity: &Arc<SpiffeId>,
) -> Result<Credentials, Refusal> {
    let invalid = |cause: &dyn fmt::Display| Refusal::Invalid(cause.to_string());
    let key = FreshKey::generate().map_err(|cause| invalid(&cause))?;
    let csr = key.request(identity).map_err(|cause| invalid(&cause))?;
    let lifetime = shared.settings.lifetime;
    let request = SigningRequest { identity: Arc::clone(identity), csr, lifetime };
    let issued = issuer.issue(request).await?;
    let trust = shared.trusts.of(&issued.roots).map_err(Unusable::from);
    let tls12 = shared.settings.tls12;
    trust
        .and_then(|trust| Credentials::new(identity, &key.into_der(), issued, trust, tls12))
        .map_err(|cause| invalid(&cause))
}

/// How long an authority may think.
const ANSWER_PATIENCE: Duration = Duration::from_secs(15);

/// The shortest time between two certificates of one identity.
const RENEWAL_MIN: Duration = Duration::from_millis(200);
