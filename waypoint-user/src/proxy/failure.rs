//! What goes wrong with a connection that a node carries, in ztunnel's words and flags
//! (`src/proxy.rs`, `src/proxy/metrics.rs`).

use std::fmt;

use crate::hbone;

use super::{respond::Fault, way::BLOCKED};

/// Why a connection was not carried, or no further.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// The pod that opened it is not known, or no longer.
    UnknownSource,
    /// Nobody is there to take it; the waypoint or Service that has no ready pod.
    NoHealthyUpstream(String),
    /// Its waypoint cannot be used; why not.
    Unbound(String),
    /// We cannot prove who the pod is.
    Identity(String),
    /// The other side could not be reached, or refused.
    Tunnel(hbone::Error),
    /// The destination could not be reached.
    Connect(String),
    /// Policies deny it; the rule that says so, if it was one.
    Denied(Option<String>),
    /// Policies deny now what they once allowed.
    Revoked,
    /// It is not addressed to the pod that it reached.
    NotHere(String),
    /// The destination is not known.
    UnknownDestination(String),
    /// The pod on this side is gone, or is another now.
    PodGone,
    /// The client reset it.
    ClientReset,
    /// The destination reset it.
    DestinationReset,
    /// A drain ended before it did.
    Drained,
}

impl Failure {
    /// The response flag.
    pub(super) fn flag(&self) -> &'static str {
        match self {
            Self::Denied(_) | Self::Revoked => "DENY",
            Self::Identity(_) | Self::Tunnel(hbone::Error::Identity(_)) => "IDENTITY_ERROR",
            Self::Tunnel(hbone::Error::Tls(_)) => "TLS_FAILURE",
            Self::Tunnel(hbone::Error::Http2(_) | hbone::Error::Dead) => "H2_HANDSHAKE_FAILURE",
            Self::Tunnel(hbone::Error::Connect(cause)) if cause == BLOCKED => "NETWORK_POLICY",
            _ => "CONNECT",
        }
    }

    /// Whether it was the other side's will, so that nobody else is to be asked.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Tunnel(hbone::Error::Refused(status)) if *status < 500)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownSource => f.write_str("unknown source workload"),
            Self::NoHealthyUpstream(whose) => {
                write!(f, "no healthy upstream: {whose} has no ready pod")
            }
            Self::Unbound(why) | Self::NotHere(why) | Self::UnknownDestination(why) => {
                f.write_str(why)
            }
            Self::Identity(cause) | Self::Connect(cause) => f.write_str(cause),
            Self::Tunnel(cause) => cause.fmt(f),
            Self::Denied(Some(rule)) => {
                write!(f, "policy rejection: explicitly denied by: {rule}")
            }
            Self::Denied(None) => {
                f.write_str("policy rejection: allow policies exist, but none allowed")
            }
            Self::Revoked => f.write_str("connection closed due to policy change"),
            Self::PodGone => f.write_str("the pod is gone"),
            Self::ClientReset => f.write_str("connection reset by the client"),
            Self::DestinationReset => f.write_str("connection reset by the destination"),
            Self::Drained => f.write_str("connection closed due to connection drain"),
        }
    }
}

impl From<hbone::Error> for Failure {
    fn from(cause: hbone::Error) -> Self {
        Self::Tunnel(cause)
    }
}

/// Dialling without HBONE has the engine's own faults.
impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Connect(match fault {
            Fault::ConnectFailed(cause) => cause,
            Fault::ConnectTimeout => "connection timed out".to_owned(),
            other => other.to_string(),
        })
    }
}
