//! The kinds of work that are measured, and what is aimed at.

use super::target::Shape;

/// One row of the table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Work {
    /// HTTP/1 over mutual TLS; we serve no such thing, and do it as one tunnel per connection.
    MutualTls,
    /// Whole handshakes, until the first frame of HTTP/2.
    Handshake,
    /// Tunnels in, HTTP/1 in the clear out.
    HboneToHttp,
    /// Tunnels in, tunnels out.
    HboneToHbone,
}

impl Work {
    pub(super) const ALL: &[Self] =
        &[Self::MutualTls, Self::Handshake, Self::HboneToHttp, Self::HboneToHbone];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::MutualTls => "mTLS keep-alive (ours: a tunnel per connection)",
            Self::Handshake => "mTLS handshake",
            Self::HboneToHttp => "HBONE in -> h1 out",
            Self::HboneToHbone => "HBONE in -> HBONE out",
        }
    }

    /// At most this part of Envoy's CPU time.
    pub(super) fn goal(self) -> Option<f64> {
        match self {
            Self::MutualTls => None,
            Self::Handshake => Some(0.7),
            Self::HboneToHttp | Self::HboneToHbone => Some(1.0 / 3.0),
        }
    }

    /// What the clients do to a proxy that speaks HBONE.
    pub(super) fn shape(self) -> Shape {
        match self {
            Self::MutualTls => Shape::Tunnels { connections: CONNECTIONS, streams: 1 },
            Self::Handshake => Shape::Handshakes(HANDSHAKES),
            Self::HboneToHttp | Self::HboneToHbone => {
                Shape::Tunnels { connections: CONNECTIONS / STREAMS, streams: STREAMS }
            }
        }
    }
}

/// Requests under way at a time.
pub(super) const CONNECTIONS: usize = 64;
const STREAMS: usize = 4;
const HANDSHAKES: usize = 16;
