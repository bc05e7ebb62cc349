//! A workload's certificate and key, as TLS wants them.

use std::sync::Arc;

use rustls::{ClientConfig, ServerConfig, pki_types::CertificateDer};

use crate::mesh::spiffe::SpiffeId;

/// What one identity proves itself with; replaced as a whole when its certificate is renewed.
#[derive(Debug)]
pub struct Credentials {
    identity: Arc<SpiffeId>,
    server: Arc<ServerConfig>,
}

impl Credentials {
    /// Whose they are.
    pub fn identity(&self) -> &Arc<SpiffeId> {
        &self.identity
    }

    /// TLS for connections to us: the peer must prove an identity of our trust domain.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server)
    }

    /// TLS for connections from us: the peer must prove one of the expected identities. The same
    /// identities give the same configuration.
    pub fn client_config(&self, _expected: &[Arc<SpiffeId>]) -> Arc<ClientConfig> {
        unimplemented!()
    }
}

/// What a verified certificate says of a peer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TlsPeer {
    /// Its identity.
    pub identity: Arc<SpiffeId>,
    /// The serial number of its certificate, by which it may be revoked.
    pub serial: Vec<u8>,
}

impl TlsPeer {
    /// Reads the leaf of a chain that TLS verified.
    pub fn of(_chain: Option<&[CertificateDer<'_>]>) -> Option<Self> {
        unimplemented!()
    }
}
