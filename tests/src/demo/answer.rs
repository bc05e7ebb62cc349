//! What curl printed and what it means.
//!
//! It understands `curl -sSi` against a shop server, with several answers one after another.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde_json::Value;

/// What came back to a client that asked once.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// An HTTP response.
    Response {
        /// Its status.
        status: u16,
        /// The body: a shop server's account of itself, or a local reply's text.
        body: String,
    },
    /// No response; curl's own words.
    Nothing {
        /// What curl complained of.
        complaint: String,
        /// How long it took to complain.
        after: Duration,
    },
}

/// Whom the server saw.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Seen {
    /// The client's own address.
    Client,
    /// Somebody who dialled in its place.
    Waypoint,
}

impl Answer {
    /// Reads the output of `curl -sSi` for one request.
    pub(super) fn read(output: &str, complaint: &str, after: Duration) -> Self {
        let status = output.split_whitespace().nth(1).and_then(|code| code.parse().ok());
        match status {
            Some(status) => {
                let body = output.split_once("\r\n\r\n").map_or("", |(_, body)| body);
                Self::Response { status, body: body.trim().to_owned() }
            }
            None => Self::Nothing { complaint: complaint.trim().to_owned(), after },
        }
    }

    /// Which server answered.
    pub(super) fn server(&self) -> Option<String> {
        self.field("name")
    }

    /// Whom the server was dialled by, told from the client's address.
    pub(super) fn seen(&self, client: IpAddr) -> Option<Seen> {
        let peer: SocketAddr = self.field("peer")?.parse().ok()?;
        Some(if peer.ip() == client { Seen::Client } else { Seen::Waypoint })
    }

    /// The outcome in a few words, for the table.
    pub(super) fn outcome(&self) -> String {
        match self {
            Self::Response { status, .. } => status.to_string(),
            Self::Nothing { after, .. } if *after < AT_ONCE => "refused at once".to_owned(),
            Self::Nothing { complaint, .. } => complaint.clone(),
        }
    }

    fn field(&self, name: &str) -> Option<String> {
        let Self::Response { body, .. } = self else { return None };
        let account: Value = serde_json::from_str(body).ok()?;
        account.get(name)?.as_str().map(str::to_owned)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.server(), self.field("peer")) {
            (Self::Response { status, .. }, Some(server), Some(peer)) => {
                write!(out, "HTTP {status} from {server}, which was dialled by {peer}")
            }
            (Self::Response { status, body }, ..) => write!(out, "HTTP {status}: {body}"),
            (Self::Nothing { complaint, after }, ..) => {
                write!(out, "{complaint} (after {} ms)", after.as_millis())
            }
        }
    }
}

impl Seen {
    /// For the table.
    pub(super) fn words(seen: Option<Self>) -> &'static str {
        match seen {
            Some(Self::Client) => STRAIGHT,
            Some(Self::Waypoint) => THROUGH,
            None => "no answer of a shop server",
        }
    }
}

/// A connection that nobody in between has touched.
pub(super) const STRAIGHT: &str = "straight to the pod";
/// A connection that the waypoint took over.
pub(super) const THROUGH: &str = "through the waypoint";
/// A refusal within this time is one that nobody waits for.
const AT_ONCE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests;
