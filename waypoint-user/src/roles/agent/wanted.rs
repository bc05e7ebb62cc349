//! The identities that an agent speaks for: those of the enrolled pods of its node.
//!
//! **Invariant:** no other pod's identity is ever asked for.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::watch, time::interval};
use tokio_util::sync::CancellationToken;

use crate::{
    identity::Identities,
    mesh::{
        snapshot::Snapshot,
        spiffe::SpiffeId,
        workload::{Enrolment, Workload},
    },
    telemetry::readiness::Gate,
};

/// Keeps the identities equal to those of the pods, until shutdown. The gate opens when all that
/// were wanted at first are there, or were refused, so that one pod cannot keep the node from
/// serving the others.
pub(super) async fn follow(
    node: String,
    identities: Identities,
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    gate: Gate,
    shutdown: CancellationToken,
) {
    loop {
        let wanted = of_node(&snapshots.borrow_and_update(), &node);
        identities.want(wanted.clone());
        let ready = async {
            first(&identities, &wanted).await;
            gate.open();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = ready => {}
            changed = snapshots.changed() => if changed.is_err() { return },
            () = shutdown.cancelled() => return,
        }
    }
}

/// Waits until all certificates are there; for those that are not given out though others are, only
/// so long.
pub(super) async fn wait(
    node: &str,
    identities: &Identities,
    snapshots: &watch::Receiver<Arc<Snapshot>>,
) {
    let (start, mut clock) = (Instant::now(), interval(LOOK));
    for look in 0_u32.. {
        clock.tick().await;
        let wanted = of_node(&snapshots.borrow(), node);
        let missing = wanted.iter().filter(|one| identities.current(one).is_none()).count();
        let is_answered = missing < wanted.len() && start.elapsed() >= REFUSAL_PATIENCE;
        if missing == 0 || is_answered {
            return;
        }
        if look % LOOKS_PER_LINE == LOOKS_PER_LINE - 1 {
            let wanted = wanted.len();
            tracing::info!(missing, wanted, "waiting for certificates before taking over");
        }
    }
}

/// Waits until each identity was given its first certificate, or none.
async fn first(identities: &Identities, wanted: &BTreeSet<Arc<SpiffeId>>) {
    for identity in wanted {
        if let Err(cause) = identities.credentials(identity).await {
            tracing::warn!(%identity, %cause, "a pod's identity cannot be proven yet");
        }
    }
}

/// The identities of a node's enrolled pods.
fn of_node(snapshot: &Snapshot, node: &str) -> BTreeSet<Arc<SpiffeId>> {
    let is_ours = |pod: &&Arc<Workload>| pod.node == node && pod.enrolment == Enrolment::Enrolled;
    let pods = snapshot.workloads().values().filter(is_ours);
    pods.map(|pod| Arc::clone(&pod.identity)).collect()
}

/// How long certificates are waited for that the authority does not give out.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether they are there.
const LOOK: Duration = Duration::from_millis(50);
/// How often that is logged while they are not.
const LOOKS_PER_LINE: u32 = 100;

#[cfg(test)]
mod tests;
