//! The service's own certificate, by the authority that it serves.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use rustls::{
    ServerConfig,
    sign::{CertifiedKey, SingleCertAndKey},
    version::TLS13,
};
use tokio::sync::watch;

use crate::identity::{
    ca::{Authority, Contents},
    certificate::Validity,
    crypto,
    issuer::FreshKey,
};

/// Makes TLS configurations, each until half of its certificate's life is over or the authority
/// changes.
pub(super) struct Source {
    contents: watch::Receiver<Arc<Contents>>,
    names: Vec<String>,
    made: Mutex<Option<Made>>,
}

struct Made {
    by: Arc<Contents>,
    until: SystemTime,
    config: Arc<ServerConfig>,
}

impl Source {
    pub(super) fn new(contents: watch::Receiver<Arc<Contents>>, names: Vec<String>) -> Self {
        Self { contents, names, made: Mutex::default() }
    }

    /// The configuration for a connection that comes now.
    pub(super) fn config(&self) -> Result<Arc<ServerConfig>, String> {
        let contents = Arc::clone(&self.contents.borrow());
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = made.as_ref()
            && Arc::ptr_eq(&made.by, &contents)
            && SystemTime::now() < made.until
        {
            return Ok(Arc::clone(&made.config));
        }
        let (config, until) = make(&contents.authority, &self.names)?;
        *made = Some(Made { by: contents, until, config: Arc::clone(&config) });
        Ok(config)
    }
}

fn make(
    authority: &Authority,
    names: &[String],
) -> Result<(Arc<ServerConfig>, SystemTime), String> {
    let key = FreshKey::generate().map_err(|cause| cause.to_string())?;
    let issued = authority.serve_as(&key, names, LIFETIME).map_err(|cause| cause.to_string())?;
    let validity = Validity::of(&issued.leaf).map_err(|cause| cause.to_string())?;
    let mut chain = vec![issued.leaf];
    chain.extend(issued.intermediates);
    let config = configure(chain, key).map_err(|cause| cause.to_string())?;
    Ok((Arc::new(config), validity.half_life()))
}

fn configure(
    chain: Vec<rustls::pki_types::CertificateDer<'static>>,
    key: FreshKey,
) -> Result<ServerConfig, rustls::Error> {
    let key = crypto::provider().key_provider.load_private_key(key.into_der())?;
    let certified = SingleCertAndKey::from(CertifiedKey::new(chain, key));
    let mut config = ServerConfig::builder_with_provider(crypto::provider())
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(certified));
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// How long the service's certificate holds.
const LIFETIME: Duration = Duration::from_hours(24);
