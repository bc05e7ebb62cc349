//! The identities that an agent speaks for: those of the enrolled pods of its node.
//!
//! **Invariant:** no other pod's identity is ever asked for.

use std::{collections::BTreeSet, sync::Arc};

use tokio::sync::watch;
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

#[cfg(test)]
mod tests;
