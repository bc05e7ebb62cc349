//! What holds for the endpoints of a Service's port.
//!
//! It chooses nothing; `balance` does.

use std::time::Duration;

/// What holds for endpoints.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct EndpointRules {
    /// Which endpoint takes a request.
    pub load_balancing: LoadBalancing,
    /// What is open to them at most.
    pub circuit_breaker: CircuitBreaker,
    /// Which are left out for a while; none without it.
    pub outlier_detection: Option<OutlierDetection>,
    /// How long connecting may take, where it is not what holds for the whole process.
    pub connect_timeout: Option<Duration>,
}

/// Which endpoint takes a request.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LoadBalancing {
    /// How it is chosen.
    pub algorithm: Algorithm,
    /// How new endpoints get less at first; they do not without it.
    pub slow_start: Option<SlowStart>,
    /// Below this percentage of endpoints that are not ejected, all get requests.
    pub panic_threshold: u8,
}

/// How an endpoint is chosen.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Algorithm {
    /// Of two at random, the one with fewer requests outstanding.
    #[default]
    LeastRequest,
    /// One after the other.
    RoundRobin,
    /// Any.
    Random,
    /// Of two at random, the one that is expected to answer sooner.
    PeakEwma,
    /// By the hash of the first key that the request has, on a ring.
    RingHash(Vec<HashKey>),
    /// The same, in a table.
    Maglev(Vec<HashKey>),
}

impl Algorithm {
    /// What is hashed, if anything is.
    pub fn hash_keys(&self) -> &[HashKey] {
        match self {
            Self::RingHash(keys) | Self::Maglev(keys) => keys,
            Self::LeastRequest | Self::RoundRobin | Self::Random | Self::PeakEwma => &[],
        }
    }
}

/// What of a request is hashed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HashKey {
    /// A header field; the name is in lower case.
    Header(String),
    /// A cookie.
    Cookie(String),
    /// A query parameter.
    QueryParameter(String),
    /// The client's address.
    SourceAddress,
}

/// How new endpoints get less at first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SlowStart {
    /// How long an endpoint is new.
    pub window: Duration,
    /// How fast its share grows, in thousandths.
    pub aggression: u32,
}

/// What is open to endpoints at most; everything without a number.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct CircuitBreaker {
    /// Connections.
    pub connections: Option<u32>,
    /// Requests that wait for a connection.
    pub pending: Option<u32>,
    /// Requests at a time.
    pub requests: Option<u32>,
    /// Requests at a time that were sent before.
    pub retries: Option<u32>,
}

/// Which endpoints are left out for a while.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OutlierDetection {
    /// Failures in a row of any kind; zero is never.
    pub consecutive_5xx: u32,
    /// Failures in a row as gateways tell them; zero is never.
    pub consecutive_gateway_errors: u32,
    /// Endpoints that succeed far less often than the others.
    pub success_rate: Option<SuccessRate>,
    /// How often success rates are looked at.
    pub interval: Duration,
    /// How long an endpoint is ejected, times how often it was.
    pub base_ejection_time: Duration,
    /// How long an endpoint is ejected at most.
    pub max_ejection_time: Duration,
    /// The percentage of endpoints that may be ejected at a time; one may always.
    pub max_ejection_percent: u8,
}

/// Endpoints that succeed far less often than the others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SuccessRate {
    /// Endpoints with enough requests that there must be.
    pub minimum_hosts: u32,
    /// Requests of an interval that are enough.
    pub request_volume: u32,
    /// How many thousandths of a standard deviation below the mean is too far.
    pub stdev_factor: u32,
}
