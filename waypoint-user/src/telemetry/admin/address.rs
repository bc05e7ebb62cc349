//! Addresses that the pages of the endpoint are served at.

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr};

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
            None => tcp(text).map(Self::Tcp).ok_or_else(|| InvalidAddress(text.to_owned())),
        }
    }
}

/// An address and a port. One of IPv6 may also have no brackets, as where Kubernetes puts a pod's
/// address before a port; the last colon is before the port then.
fn tcp(text: &str) -> Option<SocketAddr> {
    let plain = || {
        let (address, port) = text.rsplit_once(':')?;
        Some(SocketAddr::new(address.parse().ok()?, port.parse().ok()?))
    };
    text.parse().ok().or_else(plain)
}

impl fmt::Display for AdminAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A text that is no such address.
#[derive(Debug, thiserror::Error, Eq, PartialEq)]
#[error("{0:?} is no address to listen on; write 127.0.0.1:15000 or unix:/run/waypoint/admin.sock")]
pub struct InvalidAddress(String);
