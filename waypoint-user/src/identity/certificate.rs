//! Reading certificates: whose they are, from when until when.
//!
//! It trusts nothing: what is read here counts only after a verifier found a path to a root.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::PublicKeyData;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use webpki::EndEntityCert;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::mesh::spiffe::SpiffeId;

/// From when until when a certificate holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Validity {
    pub(super) not_before: SystemTime,
    pub(super) not_after: SystemTime,
}

impl Validity {
    /// Reads it.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Result<Self, Malformed> {
        let (_, parsed) =
            X509Certificate::from_der(certificate).map_err(|_| Malformed::Encoding)?;
        let validity = parsed.validity();
        Ok(Self {
            not_before: time(validity.not_before.timestamp()),
            not_after: time(validity.not_after.timestamp()),
        })
    }

    /// Whether it holds now.
    pub(super) fn holds(&self, now: SystemTime) -> bool {
        self.not_before <= now && now < self.not_after
    }

    /// The middle, when a successor is asked for.
    pub(super) fn half_life(&self) -> SystemTime {
        let span = self.not_after.duration_since(self.not_before).unwrap_or_default();
        self.not_before + span / 2
    }
}

/// A time of X.509; what lies before 1970 is 1970.
fn time(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// The identity in a leaf: that of its only URI name.
pub(super) fn identity(leaf: &EndEntityCert<'_>) -> Result<SpiffeId, Malformed> {
    let mut uris = leaf.valid_uri_names();
    let uri = uris.next().ok_or(Malformed::NoUri)?;
    if uris.next().is_some() {
        return Err(Malformed::SeveralUris);
    }
    SpiffeId::parse(uri).ok_or_else(|| Malformed::NotSpiffe(uri.to_owned()))
}

/// The certificates of a PEM text, in order; none is an error.
pub(super) fn parse_pem(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, Malformed> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let certificates = certificates.map_err(|cause| Malformed::Pem(cause.to_string()))?;
    if certificates.is_empty() { Err(Malformed::NoCertificate) } else { Ok(certificates) }
}

/// One certificate as PEM, with a newline at its end.
pub(super) fn to_pem(certificate: &CertificateDer<'_>) -> String {
    let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for line in base64(certificate).as_bytes().chunks(64) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let at = |index: usize| u32::from(three.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4 {
            let index = usize::try_from(bits >> (18 - 6 * digit) & 63).unwrap_or(0);
            let letter = DIGITS.get(index).copied().unwrap_or(b'=');
            text.push(if digit > three.len() { '=' } else { char::from(letter) });
        }
    }
    text
}

/// Whether a certificate is of this key.
pub(super) fn is_of_key(certificate: &CertificateDer<'_>, key: &impl PublicKeyData) -> bool {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return false };
    parsed.public_key().raw == key.subject_public_key_info()
}

/// What is wrong with a certificate.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Malformed {
    /// It is not DER of X.509.
    #[error("not a certificate")]
    Encoding,
    /// The PEM around it is broken.
    #[error("not PEM: {0}")]
    Pem(String),
    /// There is none in the text.
    #[error("no certificate in it")]
    NoCertificate,
    /// It names no URI.
    #[error("the certificate has no URI name")]
    NoUri,
    /// It names several URIs.
    #[error("the certificate has several URI names")]
    SeveralUris,
    /// Its URI is no identity.
    #[error(
        "the certificate's URI {0:?} is no spiffe://<trust domain>/ns/<namespace>/sa/<account>"
    )]
    NotSpiffe(String),
}

#[cfg(test)]
mod tests;
