//! Tokens by which a node or a workload says who it is, before it has a certificate: signed JSON
//! (RFC 7519, ES256) in a file.
//!
//! Whoever has the file is believed, so it is as secret as a key. Kubernetes' own tokens fit the
//! same trait, [`Authenticate`].

use std::time::Duration;

use futures_util::future::{self, BoxFuture};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, get_current_timestamp,
};
use rcgen::KeyPair;
use serde::{Deserialize, Serialize};

use crate::mesh::spiffe::SpiffeId;

/// Who asks for a certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Caller {
    /// A node, in the name of workloads that run on it.
    Node(String),
    /// A workload, for itself.
    Workload(SpiffeId),
}

/// Finds out who asks.
pub trait Authenticate: Send + Sync + 'static {
    /// Who has this token, or why nobody is known by it.
    fn authenticate<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Caller, String>>;
}

/// The key that signs and checks tokens.
pub struct TokenKey {
    sign: EncodingKey,
    check: DecodingKey,
    trust_domain: String,
}

/// What is in a token.
#[derive(Deserialize, Serialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Vec<String>,
    iat: u64,
    nbf: u64,
    exp: u64,
}

impl TokenKey {
    /// A new key, as PEM.
    pub(super) fn generate() -> Result<String, rcgen::Error> {
        Ok(KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?.serialize_pem())
    }

    /// Signs and checks by this key.
    pub(super) fn new(key: &KeyPair, trust_domain: &str) -> Result<Self, &'static str> {
        if key.algorithm() != &rcgen::PKCS_ECDSA_P256_SHA256 {
            return Err("it is no key of P-256");
        }
        Ok(Self {
            sign: EncodingKey::from_ec_der(key.serialized_der()),
            check: DecodingKey::from_ec_der(key.public_key_raw()),
            trust_domain: trust_domain.to_owned(),
        })
    }

    /// A token for a caller.
    pub fn sign(
        &self,
        caller: &Caller,
        lifetime: Duration,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let now = get_current_timestamp();
        let claims = Claims {
            iss: ISSUER.to_owned(),
            sub: subject(caller),
            aud: vec![AUDIENCE.to_owned()],
            iat: now,
            nbf: now,
            exp: now.saturating_add(lifetime.as_secs()),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, &self.sign)
    }

    /// Who has a token.
    pub fn check(&self, token: &str) -> Result<Caller, String> {
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "nbf", "aud", "iss", "sub"]);
        validation.validate_nbf = true;
        let claims = jsonwebtoken::decode::<Claims>(token, &self.check, &validation);
        let claims = claims.map_err(|cause| cause.to_string())?.claims;
        let caller = self.caller(&claims.sub);
        caller.ok_or_else(|| format!("{:?} is neither a node nor a service account", claims.sub))
    }

    fn caller(&self, subject: &str) -> Option<Caller> {
        if let Some(node) = subject.strip_prefix(NODE).filter(|node| !node.is_empty()) {
            return Some(Caller::Node(node.to_owned()));
        }
        let (namespace, account) = subject.strip_prefix(SERVICE_ACCOUNT)?.split_once(':')?;
        let identity = SpiffeId::new(&self.trust_domain, namespace, account);
        // What does not survive being written down has parts that are no names.
        let whole = SpiffeId::parse(&identity.to_string()).as_ref() == Some(&identity);
        whole.then_some(Caller::Workload(identity))
    }
}

impl Authenticate for TokenKey {
    fn authenticate<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Caller, String>> {
        Box::pin(future::ready(self.check(token)))
    }
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenKey").finish_non_exhaustive()
    }
}

/// A caller as Kubernetes names subjects.
fn subject(caller: &Caller) -> String {
    match caller {
        Caller::Node(name) => format!("{NODE}{name}"),
        Caller::Workload(SpiffeId { namespace, service_account, .. }) => {
            format!("{SERVICE_ACCOUNT}{namespace}:{service_account}")
        }
    }
}

/// Whom tokens are for; Istio's name, as its clients send it.
pub const AUDIENCE: &str = "istio-ca";

const ISSUER: &str = "waypoint";
const NODE: &str = "system:node:";
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

#[cfg(test)]
mod tests;
