//! How requests of a rule are brought to their backend: how long that may take, when it is tried
//! again, and which requests belong together (Gateway API GEP-1742, GEP-1731 and GEP-1619).
//!
//! It knows no clock and sends nothing. Every source of such settings ends here: the rules of
//! routes, and what a TrafficPolicy says instead of them (`proxy/view/governed.rs`).

use std::time::Duration;

/// How requests are brought to a backend; the default is that of requests without a route.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Conduct {
    /// How long it may take.
    pub timeouts: Timeouts,
    /// When it is tried again; `None` for the engine's default: only what no endpoint can have
    /// processed.
    pub retry: Option<Retry>,
    /// Which requests go to the same endpoint.
    pub persistence: Option<Persistence>,
}

impl Conduct {
    /// That of requests without a route.
    pub const DEFAULT: Self = Self {
        timeouts: Timeouts { request: None, backend_request: None },
        retry: None,
        persistence: None,
    };
}

/// How long a request may take; what is `None` has no end.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Timeouts {
    /// From the request's head to the end of the response, with all that is tried.
    pub request: Option<Duration>,
    /// The same for each try.
    pub backend_request: Option<Duration>,
}

/// When and how often a request is tried again.
///
/// With a retry, what broke before its response is tried again as well as what could not be sent,
/// and what took longer than [`Timeouts::backend_request`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Retry {
    /// Status codes of responses that are not passed on while there are tries left.
    pub codes: Vec<u16>,
    /// How often it is tried again at most; zero for never, whatever happens.
    pub attempts: u32,
    /// The shortest time between two tries; `None` for the engine's default.
    pub backoff: Option<Duration>,
}

impl Retry {
    /// How often it is tried again where that is not said.
    pub const ATTEMPTS_DEFAULT: u32 = 2;
}

/// What makes later requests of a client go to the endpoint of its first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Persistence {
    /// The name of the cookie or header field; a field's is in lower case.
    pub name: String,
    /// What the client carries.
    pub carrier: Carrier,
    /// How long a session lasts at most.
    pub absolute: Option<Duration>,
    /// How long a session lasts without a request.
    pub idle: Option<Duration>,
}

/// What a client carries its session in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Carrier {
    /// A cookie; a permanent one outlives the browser's session.
    Cookie {
        /// Whether it has a lifetime of its own.
        permanent: bool,
    },
    /// A header field.
    Header,
}
