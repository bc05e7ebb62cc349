//! What proves that we speak for a pod of this node, and what no longer proves who a peer is.

use std::sync::Arc;

use tokio::time::{Instant, sleep};

use crate::{
    identity::{Credentials, TlsPeer},
    mesh::workload::Workload,
};

use super::{
    failure::Failure,
    limits::{CERTIFICATE_PATIENCE, CERTIFICATE_PAUSE},
    worker::Worker,
};

/// The credentials of a pod. An authority may hear of a new pod a moment later than we do, so that
/// its refusal is not final before some time has passed.
pub(super) async fn of(worker: &Worker, pod: &Workload) -> Result<Arc<Credentials>, Failure> {
    let missing = || Failure::Identity("no identities".to_owned());
    let identities = worker.identities.as_ref().ok_or_else(missing)?;
    let deadline = Instant::now() + CERTIFICATE_PATIENCE;
    loop {
        match identities.credentials(&pod.identity).await {
            Ok(credentials) => return Ok(credentials),
            Err(_) if Instant::now() < deadline => sleep(CERTIFICATE_PAUSE).await,
            Err(cause) => return Err(Failure::Identity(cause.to_string())),
        }
    }
}

/// Waits until a peer's certificate is revoked.
pub(super) async fn revoked(worker: &Worker, peer: &TlsPeer) {
    let Some(identities) = &worker.identities else { return std::future::pending().await };
    let mut revocations = identities.revocations();
    while !revocations.is_revoked(peer) {
        revocations.changed().await;
    }
}
