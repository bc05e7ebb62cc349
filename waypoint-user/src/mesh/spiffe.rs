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
