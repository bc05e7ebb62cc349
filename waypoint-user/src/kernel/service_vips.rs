//! An ordinary Service proxy in one nftables table, for hosts that have none: a connection to a
//! Service's virtual address goes to one of its ready endpoints, at random.
//!
//! It serves what the programs leave alone, TCP only, and is off where kube-proxy runs.
//!
//! **Invariant:** a change is one transaction: a packet meets the rules of one Snapshot or of
//! another, never of both.
//! **Invariant:** established connections keep their endpoint, whatever changes.

use std::{io, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::blocking;
use super::progress::Progress;
use crate::{mesh::snapshot::Snapshot, telemetry::readiness::Gate};
use ruleset::Ruleset;

mod nft;
mod ruleset;
mod transaction;

/// Why the table could not be written or removed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program is not there.
    #[error("nft cannot be run: {0}; install the package nftables")]
    Nft(#[source] io::Error),
    /// The program said no.
    #[error("nft: {0}")]
    Refused(String),
    /// The program's answer or our request is no JSON.
    #[error("nft's JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The process is shutting down.
    #[error("interrupted by shutdown")]
    Interrupted,
}

/// Keeps the table as the newest Snapshot wants it, until shutdown; the table stays behind, so that
/// connections go on being made. What fails is logged and tried again, and the last good rules
/// stay; the gate is open while what is wanted is what is there.
pub async fn run(
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    table: String,
    progress: Progress,
    gate: Gate,
    shutdown: CancellationToken,
) {
    let mut published = Published { table, ruleset: None };
    loop {
        let snapshot = Arc::clone(&snapshots.borrow_and_update());
        let outcome = published.follow(Ruleset::of(&snapshot)).await;
        match &outcome {
            Ok(()) => {
                progress.reached(&snapshot);
                gate.open();
            }
            Err(error) => {
                let table = &published.table;
                tracing::error!(%error, table, "Service addresses not published, the old stay");
                gate.close(error.to_string());
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            changed = snapshots.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(RETRY), if outcome.is_err() => {}
        }
    }
}

/// Removes the table; `false` if there was none. It blocks for as long as `nft` runs.
pub fn remove(table: &str) -> Result<bool, Error> {
    match nft::has_table(table) {
        Ok(true) => nft::apply(&transaction::removal(table)).map(|()| true),
        // Without the program there was never a table.
        Err(Error::Nft(error)) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        outcome => outcome,
    }
}

/// The table, and what we know to be in it.
struct Published {
    table: String,
    /// Unknown at first, and after a failure.
    ruleset: Option<Ruleset>,
}

impl Published {
    async fn follow(&mut self, wanted: Ruleset) -> Result<(), Error> {
        if self.ruleset.as_ref() == Some(&wanted) {
            return Ok(());
        }
        if let Some(current) = self.ruleset.take() {
            let difference = transaction::difference(&self.table, &current, &wanted);
            match apply(difference).await {
                Ok(()) => {
                    self.ruleset = Some(wanted);
                    return Ok(());
                }
                // Somebody else changed the table; then all of it is written again.
                Err(error) => tracing::warn!(%error, table = %self.table, "table rewritten"),
            }
        }
        apply(transaction::whole(&self.table, &wanted)).await?;
        self.ruleset = Some(wanted);
        Ok(())
    }
}

async fn apply(request: Value) -> Result<(), Error> {
    blocking::run(move || nft::apply(&request)).await.ok_or(Error::Interrupted)?
}

/// Time enough for an administrator's own transaction to end.
const RETRY: Duration = Duration::from_secs(2);
