//! What signs certificates, as those who need one see it, and the request for one.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use rcgen::{
    CertificateParams, DistinguishedName, KeyPair, PublicKeyData, SanType, SubjectPublicKeyInfo,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::mesh::spiffe::SpiffeId;

/// Signs requests; in this process or behind a network.
pub trait Issuer: Send + Sync + 'static {
    /// Signs one request, or says why not.
    fn issue(&self, request: SigningRequest) -> BoxFuture<'_, Result<Issued, Refusal>>;
}

/// A request for one certificate.
#[derive(Clone, Debug)]
pub struct SigningRequest {
    /// Whose certificate.
    pub identity: Arc<SpiffeId>,
    /// PKCS10, as PEM.
    pub csr: String,
    /// For how long it is wished for.
    pub lifetime: Duration,
}

/// What comes back.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate.
    pub leaf: CertificateDer<'static>,
    /// The path from it to a root, without both.
    pub intermediates: Vec<CertificateDer<'static>>,
    /// The roots that peers may chain to.
    pub roots: Vec<CertificateDer<'static>>,
}

/// Why a request was not signed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refusal {
    /// The authority does not let us.
    #[error("the certificate authority refused: {0}")]
    Refused(String),
    /// The authority cannot be reached, or did not answer in time.
    #[error("the certificate authority cannot be reached: {0}")]
    Unreachable(String),
    /// The authority's answer cannot be used.
    #[error("the certificate authority's answer is of no use: {0}")]
    Invalid(String),
}

/// A new key that has no certificate yet. It has no `Debug`, and there is no way to write it down.
pub(super) struct FreshKey(KeyPair);

impl FreshKey {
    /// Makes a P-256 key.
    pub(super) fn generate() -> Result<Self, rcgen::Error> {
        KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map(Self)
    }

    /// The request that proves that we have the key: an empty subject and one URI name.
    pub(super) fn request(&self, identity: &SpiffeId) -> Result<String, rcgen::Error> {
        let mut wish = CertificateParams::default();
        wish.distinguished_name = DistinguishedName::new();
        wish.subject_alt_names = vec![SanType::URI(identity.to_string().try_into()?)];
        wish.serialize_request(&self.0)?.pem()
    }

    /// Its public half.
    pub(super) fn public(&self) -> Result<SubjectPublicKeyInfo, rcgen::Error> {
        SubjectPublicKeyInfo::from_der(&self.0.subject_public_key_info())
    }

    /// The key as TLS takes it.
    pub(super) fn into_der(self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.0.serialize_der()).into()
    }
}
