//! Verification of peers: the chain by webpki, the identity by us.
//!
//! Host names play no part: a peer is its SPIFFE identity.

use std::{fmt, sync::Arc};

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, OtherError, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};

use super::{
    crypto,
    trust::{Distrust, Trust, Usage},
};
use crate::mesh::spiffe::SpiffeId;

/// Accepts peers of one trust domain.
pub(super) struct Verifier {
    trust: Arc<Trust>,
    trust_domain: String,
    /// Who may answer when we dial.
    expected: Vec<Arc<SpiffeId>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    /// For connections to us: whoever is of the trust domain.
    pub(super) fn of_clients(trust: Arc<Trust>, trust_domain: &str) -> Self {
        Self::of_servers(trust, trust_domain, Vec::new())
    }

    /// For connections from us: one of those expected, and nobody if there are none.
    pub(super) fn of_servers(
        trust: Arc<Trust>,
        trust_domain: &str,
        expected: Vec<Arc<SpiffeId>>,
    ) -> Self {
        let algorithms = crypto::provider().signature_verification_algorithms;
        Self { trust, trust_domain: trust_domain.to_owned(), expected, algorithms }
    }

    /// The identity of a leaf that chains to a root, if it is of the trust domain.
    fn identity(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        usage: Usage,
        now: UnixTime,
    ) -> Result<Arc<SpiffeId>, rustls::Error> {
        let identity = self.trust.verify(leaf, intermediates, usage, now).map_err(tls_error)?;
        if identity.trust_domain == self.trust_domain {
            return Ok(identity);
        }
        Err(other(Stranger::Domain { identity, ours: self.trust_domain.clone() }))
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.identity(leaf, intermediates, Usage::Client, now)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, leaf, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, leaf, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _dialled: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let identity = self.identity(leaf, intermediates, Usage::Server, now)?;
        if self.expected.contains(&identity) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(other(Stranger::Unexpected { identity, expected: self.expected.clone() }))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, leaf, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, leaf, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("trust_domain", &self.trust_domain)
            .field("expected", &self.expected)
            .finish_non_exhaustive()
    }
}

/// What TLS tells the peer of our distrust, which is little, and our log, which is all.
fn tls_error(distrust: Distrust) -> rustls::Error {
    let known = match &distrust {
        Distrust::Path(webpki::Error::CertRevoked) => CertificateError::Revoked,
        Distrust::Path(webpki::Error::CertExpired { .. }) => CertificateError::Expired,
        Distrust::Path(webpki::Error::CertNotValidYet { .. }) => CertificateError::NotValidYet,
        Distrust::Path(webpki::Error::UnknownIssuer) => CertificateError::UnknownIssuer,
        Distrust::Path(webpki::Error::BadDer) => CertificateError::BadEncoding,
        _ => return other(distrust),
    };
    known.into()
}

fn other(cause: impl std::error::Error + Send + Sync + 'static) -> rustls::Error {
    CertificateError::Other(OtherError(Arc::new(Said(Box::new(cause))))).into()
}

/// An error that is read in a log: rustls prints what it did not make itself by `Debug`.
#[derive(thiserror::Error)]
#[error(transparent)]
struct Said(Box<dyn std::error::Error + Send + Sync>);

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A peer that proved who it is, and is not whom we want.
#[derive(Debug, thiserror::Error)]
enum Stranger {
    #[error("the peer is {identity}, but our trust domain is {ours}")]
    Domain { identity: Arc<SpiffeId>, ours: String },
    #[error("the peer is {identity}, but expected is {}", list(.expected))]
    Unexpected { identity: Arc<SpiffeId>, expected: Vec<Arc<SpiffeId>> },
}

fn list(expected: &[Arc<SpiffeId>]) -> String {
    match expected {
        [] => "nobody".to_owned(),
        some => some.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or "),
    }
}
