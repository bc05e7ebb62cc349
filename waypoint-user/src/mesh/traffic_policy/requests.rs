//! What holds for requests that were addressed to a Service's port, or that a route takes.
//!
//! It does nothing to them; the proxy does.

use std::time::Duration;

/// What holds for requests.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RequestRules {
    /// Which are sent again; what the route says, or the default, without it.
    pub retry: Option<Retry>,
    /// Which are sent a second time before the first is answered.
    pub hedging: Option<Hedging>,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// How many may come.
    pub rate_limits: Vec<RateLimit>,
    /// What goes wrong on purpose.
    pub fault: Fault,
}

/// Which requests are sent again.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Retry {
    /// What must have happened; nothing but `codes` counts where there is none.
    pub on: Vec<RetryOn>,
    /// Statuses that are sent again.
    pub codes: Vec<u16>,
    /// How often a request is sent again.
    pub attempts: u8,
    /// How long one attempt may take; zero is for ever, and nothing is as the route says.
    pub per_try_timeout: Option<Duration>,
    /// How long is waited between attempts.
    pub backoff: Backoff,
    /// How many of the requests may be sent again.
    pub budget: Option<Budget>,
}

/// What must have happened to a request that is sent again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RetryOn {
    /// The endpoint could not be reached.
    ConnectFailure,
    /// The endpoint refused the stream before it looked at it.
    RefusedStream,
    /// A gRPC status.
    Grpc(u16),
    /// 500 and above, or no answer at all.
    ServerError,
    /// 502, 503 or 504.
    GatewayError,
    /// No answer at all.
    Reset,
    /// 409.
    Conflict,
}

impl RetryOn {
    /// What must have happened where nobody says so: Istio's default.
    pub const DEFAULT: [Self; 4] =
        [Self::ConnectFailure, Self::RefusedStream, Self::Grpc(UNAVAILABLE), Self::Grpc(CANCELLED)];
}

/// How long is waited between attempts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Backoff {
    /// The longest wait before the first attempt.
    pub base: Duration,
    /// The longest wait of all.
    pub max: Duration,
}

impl Backoff {
    /// The longest wait before such an attempt; the first is zero.
    pub fn ceiling(&self, attempt: u32) -> Duration {
        self.base.saturating_mul(1 << attempt.min(DOUBLINGS_MAX)).min(self.max)
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self { base: Duration::from_millis(25), max: Duration::from_millis(250) }
    }
}

/// How many of the requests may be sent again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Budget {
    /// Percentage of the requests of the last seconds.
    pub percent: u8,
    /// What may be sent again in any case.
    pub min_retries_per_second: u32,
}

/// Which requests are sent a second time before the first is answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Hedging {
    /// How long an answer is waited for first.
    pub delay: Duration,
    /// How often a request is sent at most.
    pub max_requests: u8,
}

/// How long things may take; for ever where there is nothing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Timeouts {
    /// A request, until its response has ended, with all that is tried; zero is for ever, and
    /// nothing is as the route says.
    pub request: Option<Duration>,
    /// A request on which nothing moves.
    pub stream_idle: Option<Duration>,
    /// A request, until its response has ended.
    pub max_stream_duration: Option<Duration>,
}

/// How many requests may come.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RateLimit {
    /// So many requests …
    pub requests: u32,
    /// … in so much time.
    pub per: Duration,
    /// So many may come at once.
    pub burst: u32,
    /// What is counted together.
    pub key: RateLimitKey,
    /// Whether answers to requests that pass say how much of it is left.
    pub headers: bool,
}

/// What is counted together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RateLimitKey {
    /// All requests to a Service.
    Service,
    /// Those of a client.
    Principal,
    /// Those with the same value of a header field; the name is in lower case.
    Header(String),
}

/// What goes wrong on purpose.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Fault {
    /// Requests that wait before they are sent.
    pub delay: Option<Delay>,
    /// Requests that are answered with an error.
    pub abort: Option<Abort>,
}

/// Requests that wait before they are sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Delay {
    /// How long.
    pub fixed: Duration,
    /// How many of them.
    pub share: Percentage,
}

/// Requests that are answered with an error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Abort {
    /// The error.
    pub status: AbortStatus,
    /// How many of them.
    pub share: Percentage,
}

/// An error that is made up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AbortStatus {
    /// A status of HTTP.
    Http(u16),
    /// A status of gRPC.
    Grpc(u16),
}

/// A share of requests, in millionths.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Percentage(u32);

impl Percentage {
    /// So many of a hundred; `None` if that is no share.
    pub fn of_hundred(percent: f64) -> Option<Self> {
        let is_share = (0.0..=100.0).contains(&percent);
        #[expect(clippy::cast_possible_truncation, reason = "it is between 0 and a million")]
        #[expect(clippy::cast_sign_loss, reason = "it is between 0 and a million")]
        is_share.then(|| Self((percent * 10_000.0).round() as u32))
    }

    /// Whether a request is one of the share. `dice` returns a number below its argument, each
    /// with the same chance.
    pub fn hits(self, dice: &mut dyn FnMut(u32) -> u32) -> bool {
        // Nothing is drawn where nothing depends on it.
        self.0 > 0 && (self.0 >= MILLION || dice(MILLION) < self.0)
    }
}

/// Statuses of gRPC.
const CANCELLED: u16 = 1;
const UNAVAILABLE: u16 = 14;
/// All requests.
const MILLION: u32 = 1_000_000;
/// How often a wait is doubled; further ones are as long.
const DOUBLINGS_MAX: u32 = 16;
