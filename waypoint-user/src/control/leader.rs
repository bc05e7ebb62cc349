//! Who of several controllers writes to the cluster: the holder of a Lease
//! (client-go `tools/leaderelection`).
//!
//! It writes the Lease and nothing else; what the leader does is its caller's.
//!
//! **Invariant:** a term ends before anybody else may take the Lease: when it cannot be renewed for
//! [`RENEWAL_DEADLINE`], which is shorter than [`LEASE_DURATION`].
//! **Invariant:** clocks of other machines are not trusted: a Lease is old when *we* saw it
//! unchanged for its duration.

mod decision;
mod lease;

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use self::decision::{Sight, Step};
pub use self::lease::{ClusterLease, Error, Leases, Record};

/// How long a Lease holds after it was renewed last.
pub const LEASE_DURATION: Duration = Duration::from_secs(15);
/// How long the leader tries to renew before it stops being one.
pub const RENEWAL_DEADLINE: Duration = Duration::from_secs(10);
/// How often the Lease is renewed, or looked at by those who wait for it.
pub const PACE: Duration = Duration::from_secs(2);

/// Waits to be the leader, is it for a term, and waits again, until shutdown. A term is told when
/// to end and must then end soon; the Lease is given back after it.
pub async fn lead<L, T>(
    leases: L,
    identity: String,
    led: Arc<watch::Sender<bool>>,
    shutdown: CancellationToken,
    mut term: impl FnMut(CancellationToken) -> T,
) where
    L: Leases,
    T: Future<Output = ()>,
{
    let mut candidate = Candidate { leases, identity, sight: Sight::default() };
    while !shutdown.is_cancelled() {
        let elected = shutdown.run_until_cancelled(candidate.elected()).await;
        let Some(renewed) = elected else { break };
        tracing::info!(identity = candidate.identity, "leading");
        led.send_replace(true);
        let ends = shutdown.child_token();
        let work = term(ends.clone());
        let lost = candidate.serve(renewed, work, ends).await;
        led.send_replace(false);
        if lost {
            tracing::warn!(identity = candidate.identity, "no longer leading");
        } else {
            candidate.release().await;
        }
    }
}

/// One who leads, or would.
struct Candidate<L> {
    leases: L,
    identity: String,
    sight: Sight,
}

impl<L: Leases> Candidate<L> {
    /// Waits until the Lease is ours; says when it was asked for.
    async fn elected(&mut self) -> Instant {
        loop {
            let asked = Instant::now();
            match self.step().await {
                Ok(true) => return asked,
                Ok(false) => {}
                Err(cause) => tracing::warn!(%cause, "the leader's lease"),
            }
            tokio::time::sleep(PACE).await;
        }
    }

    /// Looks at the Lease, and takes or renews it if that may be done; says whether it is ours.
    async fn step(&mut self) -> Result<bool, Error> {
        let asked = async {
            let there = self.leases.read().await?;
            let step = self.sight.judge(there.as_ref(), &self.identity, Instant::now());
            let record = match (step, there) {
                (Step::Wait, _) => return Ok(false),
                (Step::Renew, Some(there)) => there.renewed(),
                (_, there) => Record::taken(there, &self.identity),
            };
            self.leases.write(record).await
        };
        match tokio::time::timeout(PACE * 2, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::Silent),
        }
    }

    /// Renews the Lease while the work goes on; says whether it was lost.
    async fn serve(
        &mut self,
        mut renewed: Instant,
        work: impl Future<Output = ()>,
        ends: CancellationToken,
    ) -> bool {
        let renewals = async {
            loop {
                tokio::time::sleep(PACE).await;
                let asked = Instant::now();
                let deadline = renewed + RENEWAL_DEADLINE;
                match tokio::time::timeout_at(deadline, self.step()).await {
                    Ok(Ok(true)) => renewed = asked,
                    Ok(Ok(false)) | Err(_) => return,
                    Ok(Err(cause)) => tracing::warn!(%cause, "the leader's lease is not renewed"),
                }
                // A refusal comes at once, also after the deadline.
                if Instant::now() >= renewed + RENEWAL_DEADLINE {
                    return;
                }
            }
        };
        tokio::pin!(work);
        tokio::select! {
            // A work that ends by itself ends the term.
            () = &mut work => false,
            () = renewals => {
                ends.cancel();
                // Nobody else may lead before what is under way has ended, or is dropped.
                let _ = tokio::time::timeout(END_PATIENCE, work).await;
                true
            }
        }
    }

    /// Gives the Lease back, so that nobody has to wait until it is old.
    async fn release(&self) {
        let release = async {
            match self.leases.read().await? {
                Some(record) if record.holder == self.identity => {
                    self.leases.write(record.released()).await
                }
                _ => Ok(false),
            }
        };
        match tokio::time::timeout(PACE * 2, release).await {
            Ok(Ok(_)) => tracing::info!("the lease is given back"),
            Ok(Err(cause)) => tracing::warn!(%cause, "the lease is not given back"),
            Err(_) => tracing::warn!(cause = %Error::Silent, "the lease is not given back"),
        }
    }
}

/// How long a term may take to end when the Lease was lost.
const END_PATIENCE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
