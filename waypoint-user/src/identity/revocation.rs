//! Certificates that are not to be trusted before their time is over.
//!
//! It follows one file of certificate revocation lists, and fetches none from anywhere.
//!
//! **Invariant:** a file that cannot be read or parsed leaves the lists that were in force.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use rustls::pki_types::{CertificateRevocationListDer, pem::PemObject};
use tokio::sync::watch;
use webpki::{CertRevocationList, OwnedCertRevocationList};

use super::peer::TlsPeer;

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

    /// Whether one of the certificates that this peer presented is revoked.
    pub fn is_revoked(&self, peer: &TlsPeer) -> bool {
        let lists = self.lists();
        peer.presented.iter().any(|named| {
            let mut of_issuer = lists.all.iter().filter(|list| list.issuer() == named.issuer);
            of_issuer.any(|list| matches!(list.find_serial(&named.serial), Ok(Some(_))))
        })
    }

    /// Waits until other lists are in force than at the last call, or than when this clone was
    /// made.
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
