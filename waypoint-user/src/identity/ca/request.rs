//! Checking requests for certificates (PKCS10).

use rcgen::SubjectPublicKeyInfo;
use rustls::pki_types::{CertificateSigningRequestDer, pem::PemObject};
use x509_parser::{
    certification_request::X509CertificationRequest,
    extensions::{GeneralName, ParsedExtension},
    oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY},
    prelude::FromDer,
    x509::SubjectPublicKeyInfo as ParsedKey,
};

use crate::mesh::spiffe::SpiffeId;

/// The public key of a request, if the request proves that its sender has the key, the key is of
/// P-256, and its only name is this identity.
pub(super) fn check(pem: &str, identity: &SpiffeId) -> Result<SubjectPublicKeyInfo, Error> {
    let der = CertificateSigningRequestDer::from_pem_slice(pem.as_bytes());
    check_der(&der.map_err(|cause| Error::Pem(cause.to_string()))?, identity)
}

/// The same, of DER.
pub(super) fn check_der(der: &[u8], identity: &SpiffeId) -> Result<SubjectPublicKeyInfo, Error> {
    let (rest, request) = X509CertificationRequest::from_der(der).map_err(|_| Error::Encoding)?;
    if !rest.is_empty() {
        return Err(Error::Encoding);
    }
    let key = &request.certification_request_info.subject_pki;
    if !is_p256(key) {
        return Err(Error::Key);
    }
    request.verify_signature().map_err(|_| Error::Signature)?;
    let name = only_name(&request)?;
    if name != identity.to_string() {
        return Err(Error::OtherName(name));
    }
    SubjectPublicKeyInfo::from_der(key.raw).map_err(|_| Error::Key)
}

fn is_p256(key: &ParsedKey<'_>) -> bool {
    let curve = key.algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok());
    key.algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY && curve == Some(OID_EC_P256)
}

/// The only alternative name, which is a URI.
fn only_name(request: &X509CertificationRequest<'_>) -> Result<String, Error> {
    let mut names = Vec::new();
    for extension in request.requested_extensions().into_iter().flatten() {
        if let ParsedExtension::SubjectAlternativeName(alternative) = extension {
            names.extend(&alternative.general_names);
        }
    }
    match names.as_slice() {
        [GeneralName::URI(uri)] => Ok((*uri).to_owned()),
        _ => Err(Error::Names(names.len())),
    }
}

/// What is wrong with a request.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("the request is no PEM: {0}")]
    Pem(String),
    #[error("the request is no PKCS10")]
    Encoding,
    #[error("the request's key is not of P-256")]
    Key,
    #[error("the request is not signed by its key")]
    Signature,
    #[error("the request has {0} names, where one URI is wanted")]
    Names(usize),
    #[error("the request is for {0}")]
    OtherName(String),
}
