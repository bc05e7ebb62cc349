//! What operators see of certificates.

use std::sync::{
    Arc, OnceLock, Weak,
    atomic::{AtomicU64, Ordering},
};

use super::renewal::Shared;
use crate::{
    identity::{Credentials, issuer::Refusal},
    telemetry::metrics::{Limit, Registry},
};

/// Requests by outcome.
#[derive(Debug, Default)]
pub(super) struct Counts {
    issued: AtomicU64,
    refused: AtomicU64,
    unreachable: AtomicU64,
    invalid: AtomicU64,
    too_many: OnceLock<Limit>,
}

impl Counts {
    /// Counts an answer.
    pub(super) fn answered(&self, answer: &Result<Credentials, Refusal>) {
        let counter = match answer {
            Ok(_) => &self.issued,
            Err(Refusal::Refused(_)) => &self.refused,
            Err(Refusal::Unreachable(_)) => &self.unreachable,
            Err(Refusal::Invalid(_)) => &self.invalid,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an identity for which there is no room.
    pub(super) fn too_many(&self) {
        if let Some(limit) = self.too_many.get() {
            limit.hit();
        }
    }

    fn read(&self) -> Vec<(String, u64)> {
        [
            ("issued", &self.issued),
            ("refused", &self.refused),
            ("unreachable", &self.unreachable),
            ("invalid", &self.invalid),
        ]
        .map(|(outcome, counter)| (outcome.to_owned(), counter.load(Ordering::Relaxed)))
        .to_vec()
    }
}

/// Exports what is shared; it may end before the registry.
pub(super) fn register(shared: &Arc<Shared>, registry: &Registry) {
    // Set once, as this is called once for each `Shared`.
    let _ = shared.counts.too_many.set(registry.limit("identities"));
    let weak = Arc::downgrade(shared);
    let of = move |read: fn(&Shared) -> Vec<(String, u64)>| {
        let weak = Weak::clone(&weak);
        move || weak.upgrade().map(|shared| read(&shared)).unwrap_or_default()
    };
    registry.counter_source(
        "waypoint_certificate_requests_total",
        "Requests to the certificate authority.",
        "outcome",
        of(|shared| shared.counts.read()),
    );
    registry.gauge_source(
        "waypoint_certificates",
        "Certificates of workloads that this process holds.",
        "state",
        of(|shared| vec![("held".to_owned(), u64::try_from(shared.held().0).unwrap_or(u64::MAX))]),
    );
    registry.gauge_source(
        "waypoint_certificate_expiry_seconds",
        "Seconds until the first of these certificates ends.",
        "which",
        of(|shared| {
            let left = shared.held().1;
            left.map(|left| ("earliest".to_owned(), left.as_secs())).into_iter().collect()
        }),
    );
    registry.counter_source(
        "istio_crl_policy_rejections_total",
        "Peers refused at their handshake because a certificate of theirs is revoked.",
        "reason",
        of(|shared| vec![("revoked".to_owned(), shared.revocations().rejections())]),
    );
}
