//! The certificate authority as a service: Istio's `CreateCertificate` over TLS.
//!
//! It keeps no state of callers. Who they are is [`Authenticate`]'s to say, and what they may have
//! [`Authorise`]'s.
//!
//! **Invariant:** whoever may not have an identity is told nothing but that; the log says why.
//! **Invariant:** connections, requests and their sizes are bounded before anybody proved anything.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use self::{answer::Answering, connection::accept, limits::Limits};
use super::{ca::Contents, token::Caller};
use crate::{
    mesh::spiffe::SpiffeId,
    telemetry::{metrics::Registry, task},
};

pub mod access;
mod answer;
mod connection;
mod limits;
mod server_certificate;

pub use super::token::Authenticate;

/// Says who may have what.
pub trait Authorise: Send + Sync + 'static {
    /// Whether a caller may have a certificate of this identity, or why not.
    fn authorise(&self, caller: &Caller, identity: &SpiffeId) -> Result<(), String>;
}

/// How the service is served.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Host names and addresses by which clients reach it, besides those that are always there.
    pub names: Vec<String>,
    /// The longest life of a certificate; also that of those who ask for none.
    pub lifetime_max: Duration,
}

/// A service that runs.
#[derive(Debug)]
pub struct Serving {
    /// Where, with the port that was chosen if none was given.
    pub address: SocketAddr,
    /// Ends after shutdown, when the last request was answered.
    pub ended: JoinHandle<()>,
}

/// Listens and serves until shutdown.
pub async fn serve(
    settings: Settings,
    contents: watch::Receiver<Arc<Contents>>,
    access: (Arc<dyn Authenticate>, Arc<dyn Authorise>),
    registry: &Registry,
    shutdown: CancellationToken,
) -> Result<Serving, Error> {
    let bind = |cause| Error::Bind { address: settings.listen, cause };
    let listener = TcpListener::bind(settings.listen).await.map_err(bind)?;
    let address = listener.local_addr().map_err(bind)?;
    let limits = Limits::new(registry);
    let names = names(&settings, address);
    let certificate = server_certificate::Source::new(contents.clone(), names);
    // A name that cannot be in a certificate is to be heard of now.
    certificate.config().map_err(Error::Certificate)?;
    let (authenticate, authorise) = access;
    let lifetime_max = settings.lifetime_max;
    let answering = Answering::new(contents, authenticate, authorise, lifetime_max, registry);
    let run = accept(listener, certificate, Arc::new(answering), limits, shutdown);
    Ok(Serving { address, ended: task::spawn("certificate-authority", run) })
}

/// All names of the service.
fn names(settings: &Settings, address: SocketAddr) -> Vec<String> {
    let mut names: Vec<String> = ALWAYS.iter().map(|name| (*name).to_owned()).collect();
    if !address.ip().is_unspecified() {
        names.push(address.ip().to_string());
    }
    names.extend(settings.names.iter().cloned());
    names.sort_unstable();
    names.dedup();
    names
}

/// Names that clients of Istio's own service know.
const ALWAYS: &[&str] = &["localhost", "istiod.istio-system.svc", "127.0.0.1", "::1"];

/// Why the service is not served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be listened on.
    #[error("the certificate authority cannot listen on {address}: {cause}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why not.
        cause: io::Error,
    },
    /// There is no certificate for the service.
    #[error("the certificate authority's own certificate: {0}; look at --ca-name")]
    Certificate(String),
}

#[cfg(test)]
mod tests;
