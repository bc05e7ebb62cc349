//! The admin endpoint: metrics, readiness, the configuration in force, and the log level.
//!
//! It shows and changes nothing about traffic. It listens where the operator says, which is a
//! loopback address or a unix socket unless told otherwise, because it asks nobody who they are.
//! Who must not see everything has addresses of their own, if the operator says so: one of the
//! metrics, for Prometheus, and one of the status, for the kubelet.
//!
//! **Invariant:** a unix socket is removed when serving ends, and one that a dead process left is
//! replaced; one that somebody still serves is not.

use std::{fmt, io, sync::Arc};

use http::Request;
use hyper::body::Incoming;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use self::address::{AdminAddress, InvalidAddress};
use self::{connection::Answer, listener::Listener};
use super::{
    applied::Applied, flows::Hub, logging::LogLevel, metrics::Registry, readiness::Readiness, task,
};

mod address;
mod connection;
mod listener;
mod pages;
pub mod query;

/// Where the endpoint listens, and where some of its pages are besides.
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    /// All pages.
    pub admin: AdminAddress,
    /// The metrics alone.
    pub metrics: Option<AdminAddress>,
    /// Readiness and liveness alone.
    pub status: Option<AdminAddress>,
}

/// What the endpoint shows.
pub struct Content {
    /// The metrics.
    pub registry: Registry,
    /// The readiness.
    pub readiness: Readiness,
    /// The level of the log.
    pub level: LogLevel,
    /// What a waypoint goes by.
    pub applied: Option<Applied>,
    /// Connections of pods, as they happen, or why they are not seen.
    pub flows: Result<Hub, String>,
    /// The configuration in force, as JSON.
    pub config: Box<dyn Fn() -> String + Send + Sync>,
    /// What else the process can be asked.
    pub questions: Vec<Question>,
}

/// How a question is answered: with JSON, or with what is wrong with the query.
type Answering = dyn Fn(&str) -> Result<String, String> + Send + Sync;

/// Something that only one kind of process can be asked.
pub struct Question {
    /// The path of its page.
    pub path: &'static str,
    /// What the page shows, for the index.
    pub about: &'static str,
    /// Answers a query.
    pub answer: Box<Answering>,
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content").field("readiness", &self.readiness).finish_non_exhaustive()
    }
}

/// An endpoint that is being served.
#[derive(Debug)]
pub struct Serving {
    /// Where, with the port that was chosen if none was given.
    pub address: AdminAddress,
    /// Ends after shutdown, when the sockets are gone.
    pub ended: JoinHandle<()>,
}

/// Listens at all the addresses and serves until shutdown.
pub fn serve(
    addresses: &Addresses,
    content: Content,
    shutdown: CancellationToken,
) -> Result<Serving, Error> {
    let mut others = Vec::new();
    if let Some(address) = &addresses.metrics {
        let registry = content.registry.clone();
        others.push(serve_metrics(address, registry, shutdown.clone())?);
    }
    if let Some(address) = &addresses.status {
        let shown = (content.readiness.clone(), content.applied.clone());
        others.push(open_status(address, shown, shutdown.clone())?);
    }
    let content = Arc::new(content);
    let answer = move |request: &_| pages::all(request, &content);
    let Serving { address, ended } = open(ADMIN, &addresses.admin, answer, shutdown)?;
    if let AdminAddress::Tcp(tcp) = &address
        && !tcp.ip().is_loopback()
    {
        tracing::warn!(%address, "the admin endpoint can be reached from other machines");
    }
    let ended = task::spawn("admin endpoints", async move {
        for ended in others.into_iter().map(|one| one.ended).chain([ended]) {
            // A task that panicked was logged when it did.
            let _ = ended.await;
        }
    });
    Ok(Serving { address, ended })
}

/// Serves the metrics alone.
pub fn serve_metrics(
    address: &AdminAddress,
    registry: Registry,
    shutdown: CancellationToken,
) -> Result<Serving, Error> {
    open(
        "metrics endpoint",
        address,
        move |request: &_| pages::metrics(request, &registry),
        shutdown,
    )
}

/// Serves readiness and liveness alone.
pub fn serve_status(
    address: &AdminAddress,
    readiness: Readiness,
    shutdown: CancellationToken,
) -> Result<Serving, Error> {
    open_status(address, (readiness, None), shutdown)
}

/// Serves readiness and liveness, and of a waypoint what it goes by, alone.
fn open_status(
    address: &AdminAddress,
    (readiness, applied): (Readiness, Option<Applied>),
    shutdown: CancellationToken,
) -> Result<Serving, Error> {
    open(
        "status endpoint",
        address,
        move |request: &_| pages::status(request, &readiness, applied.as_ref()),
        shutdown,
    )
}

/// Listens at one address and answers until shutdown.
fn open(
    what: &'static str,
    address: &AdminAddress,
    answer: impl Fn(&Request<Incoming>) -> Answer + Send + Sync + 'static,
    shutdown: CancellationToken,
) -> Result<Serving, Error> {
    let bind = |cause| Error::Bind { what, address: address.clone(), cause };
    let listener = Listener::bind(address).map_err(bind)?;
    let address = listener.address().map_err(bind)?;
    tracing::debug!(%address, what, "listening");
    let ended = task::spawn(what, connection::accept(listener, answer, shutdown));
    Ok(Serving { address, ended })
}

/// Why the endpoint is not served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be listened on.
    #[error("the {what} cannot listen on {address}: {cause}")]
    Bind {
        /// Which.
        what: &'static str,
        /// The address.
        address: AdminAddress,
        /// Why not.
        cause: io::Error,
    },
}

const ADMIN: &str = "admin endpoint";

#[cfg(test)]
mod tests;
