//! What a verified certificate says of a peer.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use webpki::{Cert, EndEntityCert};

use super::certificate;
use crate::mesh::spiffe::SpiffeId;

/// The other side of a connection, as its certificates name it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TlsPeer {
    /// Its identity.
    pub identity: Arc<SpiffeId>,
    /// The serial number of its certificate, by which it may be revoked.
    pub serial: Vec<u8>,
    /// What names each certificate that it presented.
    pub(super) presented: Arc<[Named]>,
}

/// The name of a certificate: a serial number is unique only for its issuer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Named {
    pub(super) issuer: Vec<u8>,
    pub(super) serial: Vec<u8>,
}

impl TlsPeer {
    /// Reads a chain that TLS verified.
    pub fn of(chain: Option<&[CertificateDer<'_>]>) -> Option<Self> {
        let chain = chain?;
        let leaf = EndEntityCert::try_from(chain.first()?).ok()?;
        let identity = certificate::identity(&leaf).ok()?;
        let presented: Option<Arc<[Named]>> = chain.iter().map(Named::of).collect();
        Some(Self {
            identity: Arc::new(identity),
            serial: leaf.serial().to_vec(),
            presented: presented?,
        })
    }
}

impl Named {
    fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let parsed = EndEntityCert::try_from(certificate).ok()?;
        let parsed: &Cert<'_> = &parsed;
        Some(Self { issuer: parsed.issuer().to_vec(), serial: parsed.serial().to_vec() })
    }
}
