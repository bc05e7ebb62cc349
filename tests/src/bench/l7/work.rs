//! The kinds of work that are measured: one row of the table each.

use super::{
    config::{Protocol, Routes},
    load::Shape,
};

/// One row of the table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Work {
    /// HTTP/1.1 over connections that are kept.
    Http1,
    /// The same with a route, a policy, metrics and an access log.
    Dressed,
    /// The first at a fixed rate.
    Paced,
    /// The second at a fixed rate.
    DressedPaced,
    /// HTTP/2 in, HTTP/1.1 out.
    Http2ToHttp1,
    /// HTTP/2 in and out.
    Http2ToHttp2,
    /// A thousand routes by path, of which the last matches.
    PathRoutes,
    /// A thousand routes by header, of which the last matches.
    HeaderRoutes,
    /// A hundred rules of authorization, of which the last matches.
    Rules,
    /// HTTP/1.1 over mutual TLS; for us a tunnel of HBONE in each connection.
    MutualTls,
    /// Large bodies.
    Bulk,
    /// A connection for each request.
    Fresh,
    /// Connections on which nothing happens.
    Idle,
    /// The same of mutual TLS.
    IdleTls,
}

impl Work {
    pub(super) const ALL: [Self; 14] = [
        Self::Http1,
        Self::Dressed,
        Self::Paced,
        Self::DressedPaced,
        Self::Http2ToHttp1,
        Self::Http2ToHttp2,
        Self::PathRoutes,
        Self::HeaderRoutes,
        Self::Rules,
        Self::MutualTls,
        Self::Bulk,
        Self::Fresh,
        Self::Idle,
        Self::IdleTls,
    ];

    /// What the row is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Http1 => "h1 keep-alive",
            Self::Dressed => "h1 keep-alive, dressed",
            Self::Paced => "h1, 2 000/s",
            Self::DressedPaced => "h1, 2 000/s, dressed",
            Self::Http2ToHttp1 => "h2 -> h1",
            Self::Http2ToHttp2 => "h2 -> h2",
            Self::PathRoutes => "1 000 path routes",
            Self::HeaderRoutes => "1 000 header routes",
            Self::Rules => "100 authorization rules",
            Self::MutualTls => "mTLS keep-alive",
            Self::Bulk => "100 MB body",
            Self::Fresh => "new connection",
            Self::Idle => "idle connection",
            Self::IdleTls => "idle mTLS connection",
        }
    }

    /// What the clients do.
    pub(super) fn shape(self) -> Shape {
        match self {
            Self::Paced | Self::DressedPaced => Shape::Paced,
            Self::Http2ToHttp1 | Self::Http2ToHttp2 => Shape::Http2,
            Self::Bulk => Shape::Bulk,
            Self::Fresh => Shape::Fresh,
            Self::Idle | Self::IdleTls => Shape::Idle,
            _ => Shape::Http1,
        }
    }

    /// Whether the memory of connections is what is measured.
    pub(super) fn is_idle(self) -> bool {
        self.shape() == Shape::Idle
    }

    /// Whether a route, a policy and an access log are on.
    pub(super) fn is_dressed(self) -> bool {
        matches!(self, Self::Dressed | Self::DressedPaced)
    }

    /// Whether identities are proven.
    pub(super) fn is_tls(self) -> bool {
        matches!(self, Self::MutualTls | Self::IdleTls)
    }

    /// What is spoken to the proxy, and to the backend.
    pub(super) fn protocols(self) -> (Protocol, Protocol) {
        match self {
            Self::Http2ToHttp1 => (Protocol::Http2, Protocol::Http1),
            Self::Http2ToHttp2 => (Protocol::Http2, Protocol::Http2),
            _ => (Protocol::Http1, Protocol::Http1),
        }
    }

    /// Routes that requests are told apart by.
    pub(super) fn routes(self) -> Routes {
        match self {
            Self::PathRoutes => Routes::Paths(ROUTES),
            Self::HeaderRoutes => Routes::Headers(ROUTES),
            _ => Routes::None,
        }
    }

    /// Rules that requests must match one of.
    pub(super) fn rules(self) -> usize {
        if self == Self::Rules { RULES } else { 0 }
    }

    /// Whether there are requests that are refused.
    pub(super) fn is_choosy(self) -> bool {
        self.is_dressed() || self.rules() > 0 || self.routes() != Routes::None
    }

    /// How many connections, and streams in each.
    pub(super) fn breadth(self, is_quick: bool) -> (usize, usize) {
        match self.shape() {
            Shape::Http2 => (32, 10),
            Shape::Bulk => (4, 1),
            Shape::Fresh => (16, 1),
            Shape::Idle if is_quick => (1_000, 1),
            // As many tunnels as a worker of ours keeps.
            Shape::Idle if self.is_tls() => (4_000, 1),
            Shape::Idle => (10_000, 1),
            Shape::Http1 | Shape::Paced | Shape::Abort => (64, 1),
        }
    }
}

const ROUTES: usize = 1_000;
const RULES: usize = 100;
/// Requests a second of a paced load.
pub(super) const RATE: u32 = 2_000;
