//! Istio's certificate service on the wire (`istio.v1.auth`, `security/v1alpha1/ca.proto`).

use prost::Message;
use prost_types::{Struct, Value, value::Kind};

/// What a client sends.
#[derive(Clone, PartialEq, Message)]
pub(super) struct CertificateRequest {
    /// PKCS10, as PEM.
    #[prost(string, tag = "1")]
    pub(super) csr: String,
    /// In seconds.
    #[prost(int64, tag = "3")]
    pub(super) validity_duration: i64,
    /// What else the server may want to know.
    #[prost(message, optional, tag = "4")]
    pub(super) metadata: Option<Struct>,
}

/// What a server answers.
#[derive(Clone, PartialEq, Message)]
pub(super) struct CertificateResponse {
    /// PEM: the leaf, what is between it and a root, and the roots in one element.
    #[prost(string, repeated, tag = "1")]
    pub(super) cert_chain: Vec<String>,
}

impl CertificateRequest {
    /// The identity that the caller asks for in somebody else's name.
    pub(super) fn impersonated(&self) -> Option<&str> {
        match self.metadata.as_ref()?.fields.get(IMPERSONATED)?.kind.as_ref()? {
            Kind::StringValue(identity) => Some(identity),
            _ => None,
        }
    }

    /// The metadata that asks for an identity in somebody else's name.
    pub(super) fn impersonating(identity: &str) -> Struct {
        let value = Value { kind: Some(Kind::StringValue(identity.to_owned())) };
        Struct { fields: [(IMPERSONATED.to_owned(), value)].into() }
    }
}

/// The method.
pub(super) const PATH: &str = "/istio.v1.auth.IstioCertificateService/CreateCertificate";

const IMPERSONATED: &str = "ImpersonatedIdentity";
