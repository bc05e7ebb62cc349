//! The admin endpoint: metrics, readiness, the configuration in force, and the log level.
//!
//! It shows and changes nothing about traffic. It listens where the operator says, which is a
//! loopback address or a unix socket unless told otherwise, because it asks nobody who they are.
//!
//! **Invariant:** a unix socket is removed when serving ends, and one that a dead process left is
//! replaced; one that somebody still serves is not.

use std::{fmt, io, net::SocketAddr, path::PathBuf, str::FromStr, sync::Arc};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::{listener::Listener, pages::answer};
use super::{flows::Hub, logging::LogLevel, metrics::Registry, readiness::Readiness, task};

mod connection;
mod listener;
mod pages;
pub mod query;

/// Where the endpoint listens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AdminAddress {
    /// A TCP address.
    Tcp(SocketAddr),
    /// The path of a unix socket.
    Unix(PathBuf),
}

impl Default for AdminAddress {
    fn default() -> Self {
        Self::Tcp(SocketAddr::from(([127, 0, 0, 1], 15_000)))
    }
}

impl FromStr for AdminAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        match text.strip_prefix("unix:") {
            Some("") => Err(InvalidAddress(text.to_owned())),
            Some(path) => Ok(Self::Unix(PathBuf::from(path))),
            None => text.parse().map(Self::Tcp).map_err(|_| InvalidAddress(text.to_owned())),
        }
    }
}

impl fmt::Display for AdminAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// What the endpoint shows.
pub struct Content {
    /// The metrics.
    pub registry: Registry,
    /// The readiness.
    pub readiness: Readiness,
    /// The level of the log.
    pub level: LogLevel,
    /// Connections of pods, as they happen.
    pub flows: Hub,
    /// The configuration in force, as JSON.
    pub config: Box<dyn Fn() -> String + Send + Sync>,
    /// What else the process can be asked.
    pub questions: Vec<Question>,
}

/// Something that only one kind of process can be asked.
pub struct Question {
    /// The path of its page.
    pub path: &'static str,
    /// What the page shows, for the index.
    pub about: &'static str,
    /// Answers a query with JSON, or says what is wrong with it.
    pub answer: Box<dyn Fn(&str) -> Result<String, String> + Send + Sync>,
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
    /// Ends after shutdown, when the socket is gone.
    pub ended: JoinHandle<()>,
}

/// Listens at an address and serves until shutdown.
pub fn serve(
    address: &AdminAddress,
    content: Content,
    shutdown: CancellationToken,
) -> Result<Serving, Error> {
    let bind = |cause| Error::Bind { address: address.clone(), cause };
    let listener = Listener::bind(address).map_err(bind)?;
    let address = listener.address().map_err(bind)?;
    if let AdminAddress::Tcp(tcp) = &address
        && !tcp.ip().is_loopback()
    {
        tracing::warn!(%address, "the admin endpoint can be reached from other machines");
    }
    let content = Arc::new(content);
    let ended = task::spawn("admin", async move {
        let answer = move |request: &_| answer(request, &content);
        connection::accept(listener, answer, shutdown).await;
    });
    Ok(Serving { address, ended })
}

/// A text that is no admin address.
#[derive(Debug, thiserror::Error, Eq, PartialEq)]
#[error("{0:?} is no admin address; write 127.0.0.1:15000 or unix:/run/waypoint/admin.sock")]
pub struct InvalidAddress(String);

/// Why the endpoint is not served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be listened on.
    #[error("the admin endpoint cannot listen on {address}: {cause}")]
    Bind {
        /// The address.
        address: AdminAddress,
        /// Why not.
        cause: io::Error,
    },
}

#[cfg(test)]
mod tests;
