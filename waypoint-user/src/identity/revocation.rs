//! Certificates that are not to be trusted before their time is over.
//!
//! It follows one file of certificate revocation lists, and fetches none from anywhere.
//!
//! **Invariant:** a file that cannot be read or parsed leaves the lists that were in force.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rustls::pki_types::{CertificateRevocationListDer, pem::PemObject};
use tokio::{sync::watch, time};
use tokio_util::sync::CancellationToken;
use webpki::{CertRevocationList, OwnedCertRevocationList};

use super::{
    files::{self, Followed},
    peer::TlsPeer,
};
use crate::telemetry::task;

/// The lists in force; clones share them.
#[derive(Clone, Debug)]
pub struct Revocations {
    lists: watch::Receiver<Arc<Lists>>,
    rejections: Arc<AtomicU64>,
}

impl Revocations {
    /// No lists, and where new ones are put in force.
    pub(super) fn new() -> (watch::Sender<Arc<Lists>>, Self) {
        let (sender, lists) = watch::channel(Arc::new(Lists::default()));
        (sender, Self { lists, rejections: Arc::default() })
    }

    /// The same, for somebody who has seen what is in force now.
    pub(super) fn share(&self) -> Self {
        let mut shared = self.clone();
        shared.lists.mark_unchanged();
        shared
    }

    /// Whether one of the certificates that this peer presented is revoked.
    pub fn is_revoked(&self, peer: &TlsPeer) -> bool {
        let lists = self.lists();
        peer.presented.iter().any(|named| {
            let mut of_issuer = lists.all.iter().filter(|list| list.issuer() == named.issuer);
            of_issuer.any(|list| matches!(list.find_serial(&named.serial), Ok(Some(_))))
        })
    }

    /// Waits until other lists are in force than when it was last called, or was handed out.
    pub async fn changed(&mut self) {
        if self.lists.changed().await.is_err() {
            // Nobody follows a file, or no longer.
            std::future::pending::<()>().await;
        }
    }

    /// The lists in force.
    pub(super) fn lists(&self) -> Arc<Lists> {
        Arc::clone(&self.lists.borrow())
    }

    /// Counts a peer that was refused at its handshake.
    pub(super) fn count_rejection(&self) {
        self.rejections.fetch_add(1, Ordering::Relaxed);
    }

    /// How many peers were refused at their handshake.
    pub(super) fn rejections(&self) -> u64 {
        self.rejections.load(Ordering::Relaxed)
    }
}

/// Puts the lists of a file in force, and keeps them so until shutdown.
pub(super) fn follow(
    path: PathBuf,
    sender: watch::Sender<Arc<Lists>>,
    shutdown: CancellationToken,
) {
    // Watched before it is read, so that nothing is missed in between.
    let followed = Followed::new(vec![path.clone()]);
    load(&path, &sender);
    task::spawn("revocation-lists", run(path, followed, sender, shutdown));
}

async fn run(
    path: PathBuf,
    mut followed: Followed,
    sender: watch::Sender<Arc<Lists>>,
    shutdown: CancellationToken,
) {
    let mut ticks = time::interval(files::INTERVAL);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if followed.changed() {
            load(&path, &sender);
        }
    }
}

/// Puts what is in a file in force.
fn load(path: &Path, sender: &watch::Sender<Arc<Lists>>) {
    let generation = sender.borrow().generation + 1;
    let text = files::read(path).map_err(|cause| cause.to_string());
    match text.and_then(|text| Lists::parse(generation, &text)) {
        Ok(lists) => {
            tracing::info!(path = %path.display(), lists = lists.all.len(), "revocation lists");
            sender.send_replace(Arc::new(lists));
        }
        Err(cause) => {
            let path = path.display();
            tracing::error!(%path, cause, "the revocation lists stay as they were; mend the file");
        }
    }
}

/// The lists of one state of the file.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// Grows with every change.
    pub(super) generation: u64,
    /// The lists.
    pub(super) all: Vec<CertRevocationList<'static>>,
}

impl Lists {
    /// Parses a file of PEM blocks.
    pub(super) fn parse(generation: u64, text: &[u8]) -> Result<Self, String> {
        let parse =
            |der: Result<CertificateRevocationListDer<'_>, rustls::pki_types::pem::Error>| {
                let der = der.map_err(|cause| format!("not PEM: {cause}"))?;
                let list = OwnedCertRevocationList::from_der(&der);
                list.map(CertRevocationList::Owned).map_err(|cause| format!("not a list: {cause}"))
            };
        let all = CertificateRevocationListDer::pem_slice_iter(text).map(parse);
        Ok(Self { generation, all: all.collect::<Result<_, _>>()? })
    }
}

#[cfg(test)]
mod tests;
