//! SPIFFE identities of workloads (SPIFFE-ID 2; Istio's path `ns/<namespace>/sa/<account>`).
//!
//! It proves nothing; it only names.

use std::fmt;

/// The trust domain where none is configured.
pub const DEFAULT_TRUST_DOMAIN: &str = "cluster.local";

/// `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`.
#[derive(Clone, Debug, Eq, PartialEq, Hash, Ord, PartialOrd)]
pub struct SpiffeId {
    /// The trust domain.
    pub trust_domain: String,
    /// The namespace.
    pub namespace: String,
    /// The service account.
    pub service_account: String,
}

impl SpiffeId {
    /// The identity of a service account.
    pub fn new(trust_domain: &str, namespace: &str, service_account: &str) -> Self {
        Self {
            trust_domain: trust_domain.to_owned(),
            namespace: namespace.to_owned(),
            service_account: service_account.to_owned(),
        }
    }

    /// Parses `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`; every part has at
    /// least one byte, and none a `/`.
    pub fn parse(uri: &str) -> Option<Self> {
        let mut parts = uri.strip_prefix("spiffe://")?.split('/');
        let mut next = || parts.next().filter(|part| !part.is_empty());
        let (trust_domain, ns, namespace, sa, account) =
            (next()?, next()?, next()?, next()?, next()?);
        let is_one = ns == "ns" && sa == "sa" && parts.next().is_none();
        is_one.then(|| Self::new(trust_domain, namespace, account))
    }

    /// The identity without its scheme, as Istio's policies write principals.
    pub fn principal(&self) -> String {
        let Self { trust_domain, namespace, service_account } = self;
        format!("{trust_domain}/ns/{namespace}/sa/{service_account}")
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spiffe://{}", self.principal())
    }
}

#[cfg(test)]
mod tests;
