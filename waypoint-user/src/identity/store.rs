//! The credentials of the identities that this process speaks for: asked for before they are
//! needed, renewed at half of their life, forgotten when nobody speaks for them any more.
//!
//! It does not sign, and does not know how an [`Issuer`] is reached.
//!
//! **Invariant:** of one identity at most one request is under way, and of all at most
//! `REQUESTS_MAX`.
//! **Invariant:** credentials that still hold are given out whatever happens to their renewal.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use self::{
    entries::{Priority, Status},
    renewal::{Renewal, Shared},
};
use super::{Credentials, Issuer, Revocations, revocation};
use crate::{
    mesh::spiffe::SpiffeId,
    telemetry::{metrics::Registry, task},
};

mod entries;
mod metrics;
mod renewal;

/// What all credentials have in common.
#[derive(Clone, Debug)]
pub struct Settings {
    /// For how long certificates are wished for.
    pub lifetime: Duration,
    /// Whether TLS 1.2 is spoken beside 1.3.
    pub tls12: bool,
    /// A file of certificate revocation lists, followed while the process runs.
    pub crl: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { lifetime: Duration::from_hours(24), tls12: false, crl: None }
    }
}

/// Credentials by identity, kept fresh; clones share them.
#[derive(Clone, Debug)]
pub struct Identities(Arc<Shared>);

impl Identities {
    /// Starts to keep credentials, until shutdown; needs a tokio runtime, on which the requests
    /// are made. Whoever asks may be on another.
    pub fn start(
        settings: Settings,
        issuer: impl Issuer,
        registry: &Registry,
        shutdown: CancellationToken,
    ) -> Self {
        let (lists, revocations) = Revocations::new();
        if let Some(path) = settings.crl.clone() {
            revocation::follow(path, lists, shutdown.clone());
        }
        let shared = Arc::new(Shared::new(settings, revocations));
        metrics::register(&shared, registry);
        let renewal = Renewal::new(Arc::clone(&shared), Arc::new(issuer));
        task::spawn("certificates", renewal.run(shutdown));
        Self(shared)
    }

    /// Keeps credentials of these identities fresh, and forgets all others. Until the next call
    /// those that [`Identities::credentials`] asks for are kept too.
    pub fn want(&self, identities: BTreeSet<Arc<SpiffeId>>) {
        self.0.want(identities);
    }

    /// The credentials of an identity, if they are there; never waits.
    pub fn current(&self, identity: &SpiffeId) -> Option<Arc<Credentials>> {
        self.0.current(identity)
    }

    /// The credentials of an identity, asked for at once if they are not there. While an authority
    /// is not asked again because it failed, its last failure is the answer.
    pub async fn credentials(&self, identity: &SpiffeId) -> Result<Arc<Credentials>, Error> {
        if let Some(credentials) = self.current(identity) {
            return Ok(credentials);
        }
        let mut status = self.0.ask(identity, Priority::RealTime)?;
        loop {
            match &*status.borrow_and_update() {
                Status::Asked => {}
                Status::Held(credentials) => return Ok(Arc::clone(credentials)),
                Status::Failed(cause) => return Err(cause.clone()),
            }
            status.changed().await.map_err(|_| Error::Ended)?;
        }
    }

    /// What is revoked, for those who keep connections open.
    pub fn revocations(&self) -> Revocations {
        self.0.revocations()
    }
}

/// Why there are no credentials.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The authority refused, or cannot be reached.
    #[error("no certificate for {identity}: {cause}")]
    NotIssued {
        /// The identity.
        identity: String,
        /// Why.
        cause: String,
    },
    /// There are too many identities.
    #[error("no certificate for {0}: this process holds {IDENTITIES_MAX} identities already")]
    TooMany(String),
    /// The process ends.
    #[error("no certificates are given out any more: the process ends")]
    Ended,
}

/// How many requests are under way at a time.
pub(super) const REQUESTS_MAX: usize = 8;

/// How many identities one process holds; those above get an error.
pub(super) const IDENTITIES_MAX: usize = 16_384;

#[cfg(test)]
mod tests;
