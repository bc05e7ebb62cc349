//! A workload's certificate and key, as TLS wants them.
//!
//! It asks for nothing and renews nothing; that is the store's.
//!
//! **Invariant:** a key is never shown, neither by `Debug` nor by an accessor.

use std::{
    collections::HashMap,
    fmt,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use rustls::{
    ClientConfig, ServerConfig,
    client::Resumption,
    pki_types::{PrivateKeyDer, ServerName},
    server::NoServerSessionStorage,
    sign::{CertifiedKey, SingleCertAndKey},
    version::{TLS12, TLS13},
};

use super::{
    certificate::{self, Malformed, Validity},
    crypto,
    issuer::Issued,
    trust::Trust,
    verifier::Verifier,
};
use crate::mesh::spiffe::SpiffeId;

/// What one identity proves itself with; replaced as a whole when its certificate is renewed.
pub struct Credentials {
    identity: Arc<SpiffeId>,
    validity: Validity,
    server: Arc<ServerConfig>,
    /// A client configuration that expects nobody.
    client: ClientConfig,
    clients: Mutex<HashMap<Vec<Arc<SpiffeId>>, Arc<ClientConfig>>>,
    trust: Arc<Trust>,
}

impl Credentials {
    /// Takes what an authority issued for a key, if it is for this identity and this key.
    pub(super) fn new(
        identity: &Arc<SpiffeId>,
        key: &PrivateKeyDer<'static>,
        issued: Issued,
        trust: Arc<Trust>,
        tls12: bool,
    ) -> Result<Self, Unusable> {
        let validity = check_leaf(&issued, identity)?;
        let mut chain = vec![issued.leaf];
        chain.extend(issued.intermediates);
        let signing = crypto::provider().key_provider.load_private_key(key.clone_key())?;
        let certified = CertifiedKey::new(chain, signing);
        certified.keys_match()?;
        let certified = Arc::new(SingleCertAndKey::from(certified));
        let domain = &identity.trust_domain;
        Ok(Self {
            server: Arc::new(server_config(&certified, &trust, domain, tls12)?),
            client: client_config(certified, &trust, domain, tls12)?,
            clients: Mutex::default(),
            identity: Arc::clone(identity),
            validity,
            trust,
        })
    }

    /// Whose they are.
    pub fn identity(&self) -> &Arc<SpiffeId> {
        &self.identity
    }

    /// TLS for connections to us: the peer must prove an identity of our trust domain.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server)
    }

    /// TLS for connections from us: the peer must prove one of the expected identities, and of our
    /// trust domain; if none is expected, nobody can. The same identities give the same
    /// configuration.
    pub fn client_config(&self, expected: &[Arc<SpiffeId>]) -> Arc<ClientConfig> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = clients.get(expected) {
            return Arc::clone(known);
        }
        let mut sorted = expected.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        if let Some(known) = clients.get(&sorted) {
            return Arc::clone(known);
        }
        let (trust, domain) = (Arc::clone(&self.trust), &self.identity.trust_domain);
        let verifier = Verifier::of_servers(trust, domain, sorted.clone());
        let mut config = self.client.clone();
        config.dangerous().set_certificate_verifier(Arc::new(verifier));
        let config = Arc::new(config);
        if clients.len() >= CLIENT_CONFIGS_MAX {
            clients.clear();
        }
        clients.insert(sorted, Arc::clone(&config));
        config
    }

    /// From when until when they hold.
    pub(super) fn validity(&self) -> Validity {
        self.validity
    }

    /// Whether they hold now.
    pub(super) fn hold(&self) -> bool {
        self.validity.holds(SystemTime::now())
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("identity", &self.identity)
            .field("validity", &self.validity)
            .finish_non_exhaustive()
    }
}

/// The server name that TLS wants when we dial, and that nobody sends or checks.
pub fn dialled_name() -> ServerName<'static> {
    ServerName::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

/// Reads when a leaf holds, if it is of the identity that was asked for.
fn check_leaf(issued: &Issued, asked: &SpiffeId) -> Result<Validity, Unusable> {
    let leaf = webpki::EndEntityCert::try_from(&issued.leaf).map_err(|_| Malformed::Encoding)?;
    let found = certificate::identity(&leaf)?;
    if found != *asked {
        return Err(Unusable::OtherIdentity(found.to_string()));
    }
    Ok(Validity::of(&issued.leaf)?)
}

fn server_config(
    certified: &Arc<SingleCertAndKey>,
    trust: &Arc<Trust>,
    domain: &str,
    tls12: bool,
) -> Result<ServerConfig, rustls::Error> {
    let verifier = Verifier::of_clients(Arc::clone(trust), domain);
    let resolver: Arc<SingleCertAndKey> = Arc::clone(certified);
    let mut config = ServerConfig::builder_with_provider(crypto::provider())
        .with_protocol_versions(versions(tls12))?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn client_config(
    certified: Arc<SingleCertAndKey>,
    trust: &Arc<Trust>,
    domain: &str,
    tls12: bool,
) -> Result<ClientConfig, rustls::Error> {
    let nobody = Verifier::of_servers(Arc::clone(trust), domain, Vec::new());
    let mut config = ClientConfig::builder_with_provider(crypto::provider())
        .with_protocol_versions(versions(tls12))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(nobody))
        .with_client_cert_resolver(certified);
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Ok(config)
}

/// The versions of TLS that are spoken.
fn versions(tls12: bool) -> &'static [&'static rustls::SupportedProtocolVersion] {
    static WITH_TLS12: &[&rustls::SupportedProtocolVersion] = &[&TLS13, &TLS12];
    static ONLY_TLS13: &[&rustls::SupportedProtocolVersion] = &[&TLS13];
    if tls12 { WITH_TLS12 } else { ONLY_TLS13 }
}

/// Why something issued is of no use to us.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("it is for {0}")]
    OtherIdentity(String),
    #[error("{0}")]
    Tls(#[from] rustls::Error),
    #[error("the roots: {0}")]
    Roots(#[from] webpki::Error),
}

/// What is spoken inside.
const ALPN: &[u8] = b"h2";

/// How many sets of expected identities have a configuration at a time; when there are more, all
/// are made again.
const CLIENT_CONFIGS_MAX: usize = 4096;

#[cfg(test)]
mod tests;
