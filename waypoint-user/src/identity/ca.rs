//! The certificate authority: a root, an intermediate that it signed, and leaves that the
//! intermediate signs.
//!
//! It decides nobody's right to an identity; whoever calls [`Authority::sign`] did.
//!
//! **Invariant:** a leaf never outlives the intermediate.
//! **Invariant:** what is in a leaf comes from the identity that was authorised; of a request only
//! the public key is taken.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures_util::future::{self, BoxFuture};
use rcgen::{KeyPair, SubjectPublicKeyInfo};
use rustls::pki_types::CertificateDer;
use tokio::{sync::watch, task::JoinHandle};

use self::profile::Names;
use super::{
    certificate::{self, Malformed, Validity},
    credentials::Credentials,
    issuer::{FreshKey, Issued, Issuer, Refusal, SigningRequest},
    revocation::Revocations,
    trust::Trusts,
};
use crate::mesh::spiffe::SpiffeId;

pub mod directory;
mod material;
mod profile;
mod request;

pub use self::material::{Contents, Error as MaterialError, Material, ROOT_CERT};

/// What an authority is made of, followed wherever it is kept.
#[derive(Debug)]
pub struct Following {
    /// What is in force.
    pub contents: watch::Receiver<Arc<Contents>>,
    /// Ends after shutdown.
    pub follower: JoinHandle<()>,
}

/// What signs.
pub struct Authority {
    signer: rcgen::Issuer<'static, KeyPair>,
    /// From the intermediate upwards, without the root.
    intermediates: Vec<CertificateDer<'static>>,
    /// What peers are told to trust.
    roots: Vec<CertificateDer<'static>>,
    /// When the intermediate ends.
    not_after: SystemTime,
}

impl Authority {
    /// A new authority that is written nowhere, for tests and for a mesh of one process.
    pub fn ephemeral(trust_domain: &str) -> Result<Self, Error> {
        let root = profile::root(trust_domain)?;
        let roots = vec![root.certificate.clone()];
        let root = rcgen::Issuer::from_ca_cert_der(&root.certificate, root.key)?;
        let intermediate = profile::intermediate(trust_domain, &root)?;
        Self::new(intermediate.key, &[intermediate.certificate], roots)
    }

    /// The authority of a key and its chain; `chain` starts with the key's certificate.
    pub(super) fn new(
        key: KeyPair,
        chain: &[CertificateDer<'static>],
        roots: Vec<CertificateDer<'static>>,
    ) -> Result<Self, Error> {
        let own = chain.first().ok_or(Malformed::NoCertificate)?;
        let not_after = Validity::of(own)?.not_after;
        let signer = rcgen::Issuer::from_ca_cert_der(own, key)?;
        // An authority without an intermediate signs with its root, which peers have.
        let intermediates = chain.iter().filter(|one| !roots.contains(one)).cloned().collect();
        Ok(Self { signer, intermediates, roots, not_after })
    }

    /// The roots that peers may chain to.
    pub fn roots(&self) -> &[CertificateDer<'static>] {
        &self.roots
    }

    /// The same, as one PEM text.
    pub fn roots_pem(&self) -> String {
        self.roots.iter().map(certificate::to_pem).collect()
    }

    /// Credentials of an identity at once, for tests; nobody renews them.
    pub fn credentials(
        &self,
        identity: &Arc<SpiffeId>,
        lifetime: Duration,
    ) -> Result<Credentials, Refusal> {
        let invalid = |cause: &dyn std::fmt::Display| Refusal::Invalid(cause.to_string());
        let key = FreshKey::generate().map_err(|cause| invalid(&cause))?;
        let issued = self.issue_to(&key, identity, lifetime)?;
        let trust = Trusts::new(Revocations::new().1).of(&issued.roots);
        let trust = trust.map_err(|cause| invalid(&cause))?;
        Credentials::new(identity, &key.into_der(), issued, trust, false)
            .map_err(|cause| invalid(&cause))
    }

    /// Checks the request of a key and signs it.
    pub(super) fn issue_to(
        &self,
        key: &FreshKey,
        identity: &Arc<SpiffeId>,
        lifetime: Duration,
    ) -> Result<Issued, Refusal> {
        let csr = key.request(identity).map_err(|cause| Refusal::Invalid(cause.to_string()))?;
        self.answer(&SigningRequest { identity: Arc::clone(identity), csr, lifetime })
    }

    /// A certificate for our own service, by these host names and addresses.
    pub(super) fn serve_as(
        &self,
        key: &FreshKey,
        names: &[String],
        lifetime: Duration,
    ) -> Result<Issued, Error> {
        self.sign_names(&Names::Service(names), &key.public()?, lifetime)
    }

    /// Checks a request and signs it.
    pub(super) fn answer(&self, request: &SigningRequest) -> Result<Issued, Refusal> {
        let key = request::check(&request.csr, &request.identity);
        let key = key.map_err(|cause| Refusal::Refused(cause.to_string()))?;
        let signed = self.sign(&request.identity, &key, request.lifetime);
        signed.map_err(|cause| Refusal::Unreachable(cause.to_string()))
    }

    /// Signs a public key as an identity.
    fn sign(
        &self,
        identity: &SpiffeId,
        key: &SubjectPublicKeyInfo,
        lifetime: Duration,
    ) -> Result<Issued, Error> {
        self.sign_names(&Names::Workload(identity), key, lifetime)
    }

    fn sign_names(
        &self,
        names: &Names<'_>,
        key: &SubjectPublicKeyInfo,
        lifetime: Duration,
    ) -> Result<Issued, Error> {
        let now = SystemTime::now();
        let left = self.not_after.duration_since(now).map_err(|_| Error::Ended)?;
        let wish = profile::leaf(names, key, now, lifetime.min(left))?;
        let leaf = wish.signed_by(key, &self.signer)?;
        Ok(Issued {
            leaf: leaf.into(),
            intermediates: self.intermediates.clone(),
            roots: self.roots.clone(),
        })
    }
}

/// In this process whoever asks may have what it asks for.
impl Issuer for Authority {
    fn issue(&self, request: SigningRequest) -> BoxFuture<'_, Result<Issued, Refusal>> {
        Box::pin(future::ready(self.answer(&request)))
    }
}

impl Issuer for Arc<Authority> {
    fn issue(&self, request: SigningRequest) -> BoxFuture<'_, Result<Issued, Refusal>> {
        self.as_ref().issue(request)
    }
}

/// The authority that a directory holds now.
#[derive(Clone, Debug)]
pub struct Current(watch::Receiver<Arc<Contents>>);

impl Current {
    /// Of a directory that is followed.
    pub fn new(contents: watch::Receiver<Arc<Contents>>) -> Self {
        Self(contents)
    }
}

impl Issuer for Current {
    fn issue(&self, request: SigningRequest) -> BoxFuture<'_, Result<Issued, Refusal>> {
        let contents = Arc::clone(&self.0.borrow());
        Box::pin(future::ready(contents.authority.answer(&request)))
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("not_after", &self.not_after).finish_non_exhaustive()
    }
}

/// Why there is no authority, or no certificate from it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A certificate cannot be made.
    #[error("making a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// There is no randomness for a serial number.
    #[error("the system gives no random numbers")]
    Random,
    /// A certificate is broken.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The intermediate is past its end.
    #[error("the signing certificate has ended; give the authority a new one")]
    Ended,
}

#[cfg(test)]
mod tests;
