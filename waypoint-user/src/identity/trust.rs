//! The roots that peers may chain to, and which leaves did already.
//!
//! It knows no identities: whether the one in a leaf is the right one is the verifier's to say.
//!
//! **Invariant:** a remembered verification ends with the certificates it rests on, and with every
//! change of the revocation lists; other roots have a memory of their own.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{
    CertRevocationList, EndEntityCert, KeyUsage, RevocationOptionsBuilder, UnknownStatusPolicy,
};

use super::{
    certificate::{self, Malformed, Validity},
    crypto,
    revocation::{Lists, Revocations},
};
use crate::mesh::spiffe::SpiffeId;

/// What a leaf is used for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Usage {
    /// Its owner dialled.
    Client,
    /// Its owner was dialled.
    Server,
}

/// One bundle of roots.
pub(super) struct Trust {
    anchors: Vec<TrustAnchor<'static>>,
    revocations: Revocations,
    memory: Mutex<Memory>,
}

/// Leaves that were verified, by digest and usage.
#[derive(Default)]
struct Memory {
    /// The lists that they were verified under.
    generation: u64,
    leaves: HashMap<(Vec<u8>, Usage), Remembered>,
}

/// One leaf that was verified.
#[derive(Clone)]
struct Remembered {
    identity: Arc<SpiffeId>,
    until: UnixTime,
}

impl Trust {
    /// Trust in these roots.
    fn new(roots: &[CertificateDer<'_>], revocations: Revocations) -> Result<Self, webpki::Error> {
        let anchors: Result<Vec<_>, _> = roots
            .iter()
            .map(|root| webpki::anchor_from_trusted_cert(root).map(|anchor| anchor.to_owned()))
            .collect();
        Ok(Self { anchors: anchors?, revocations, memory: Mutex::default() })
    }

    /// The identity in a leaf, if it chains to a root and nothing on the way is revoked.
    pub(super) fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        usage: Usage,
        now: UnixTime,
    ) -> Result<Arc<SpiffeId>, Distrust> {
        let lists = self.revocations.lists();
        let key = (crypto::sha256(leaf), usage);
        if let Some(known) = self.memory(lists.generation).leaves.get(&key)
            && now < known.until
        {
            return Ok(Arc::clone(&known.identity));
        }
        let identity = Arc::new(self.build_path((leaf, intermediates), usage, &lists, now)?);
        if let Some(until) = end_of(leaf, intermediates) {
            let known = Remembered { identity: Arc::clone(&identity), until };
            self.memory(lists.generation).remember(key, known, now);
        }
        Ok(identity)
    }

    /// Finds a path to a root, and reads the identity.
    fn build_path(
        &self,
        (leaf, intermediates): (&CertificateDer<'_>, &[CertificateDer<'_>]),
        usage: Usage,
        lists: &Lists,
        now: UnixTime,
    ) -> Result<SpiffeId, Distrust> {
        let leaf = EndEntityCert::try_from(leaf)?;
        let lists: Vec<&CertRevocationList<'_>> = lists.all.iter().collect();
        // Only what a list speaks of can be revoked; not every issuer publishes one.
        let revocation = RevocationOptionsBuilder::new(&lists)
            .ok()
            .map(|options| options.with_status_policy(UnknownStatusPolicy::Allow).build());
        let usage = match usage {
            Usage::Client => KeyUsage::client_auth(),
            Usage::Server => KeyUsage::server_auth(),
        };
        let algorithms = crypto::provider().signature_verification_algorithms.all;
        leaf.verify_for_usage(
            algorithms,
            &self.anchors,
            intermediates,
            now,
            usage,
            revocation,
            None,
        )
        .inspect_err(|cause| {
            if *cause == webpki::Error::CertRevoked {
                self.revocations.count_rejection();
            }
        })?;
        Ok(certificate::identity(&leaf)?)
    }

    /// What is remembered under these lists.
    fn memory(&self, generation: u64) -> MutexGuard<'_, Memory> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.generation < generation {
            *memory = Memory { generation, leaves: HashMap::new() };
        }
        memory
    }
}

impl Memory {
    /// Remembers a leaf; when there are too many, those that ended go, and if none did, all.
    fn remember(&mut self, key: (Vec<u8>, Usage), known: Remembered, now: UnixTime) {
        if self.leaves.len() >= REMEMBERED_MAX {
            self.leaves.retain(|_, known| now < known.until);
        }
        if self.leaves.len() >= REMEMBERED_MAX {
            self.leaves.clear();
        }
        self.leaves.insert(key, known);
    }
}

/// When the first of these certificates ends.
fn end_of(leaf: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> Option<UnixTime> {
    let ends: Option<Vec<SystemTime>> = std::iter::once(leaf)
        .chain(others)
        .map(|certificate| Validity::of(certificate).ok().map(|validity| validity.not_after))
        .collect();
    let first = ends?.into_iter().min()?;
    let since: Duration = first.duration_since(UNIX_EPOCH).ok()?;
    Some(UnixTime::since_unix_epoch(since))
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").field("roots", &self.anchors.len()).finish_non_exhaustive()
    }
}

/// Bundles by their roots, so that credentials with the same roots share one memory.
#[derive(Debug)]
pub(super) struct Trusts {
    revocations: Revocations,
    known: Mutex<HashMap<Vec<u8>, Weak<Trust>>>,
}

impl Trusts {
    /// None yet.
    pub(super) fn new(revocations: Revocations) -> Self {
        Self { revocations, known: Mutex::default() }
    }

    /// The trust in these roots.
    pub(super) fn of(&self, roots: &[CertificateDer<'_>]) -> Result<Arc<Trust>, webpki::Error> {
        let mut digests: Vec<_> = roots.iter().map(|root| crypto::sha256(root)).collect();
        digests.sort_unstable();
        digests.dedup();
        let key = digests.concat();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trust) = known.get(&key).and_then(Weak::upgrade) {
            return Ok(trust);
        }
        let trust = Arc::new(Trust::new(roots, self.revocations.clone())?);
        known.retain(|_, trust| trust.strong_count() > 0);
        known.insert(key, Arc::downgrade(&trust));
        Ok(trust)
    }
}

/// Why a chain is not trusted.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Distrust {
    /// There is no valid path to a root.
    #[error("{0}")]
    Path(#[from] webpki::Error),
    /// The leaf has no identity.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// How many verified leaves of one bundle are remembered.
const REMEMBERED_MAX: usize = 8192;

#[cfg(test)]
mod tests;
