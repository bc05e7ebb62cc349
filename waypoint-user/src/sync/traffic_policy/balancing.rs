//! What a TrafficPolicy says of endpoints: which takes a request, and which none does for a while.
//!
//! It chooses nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sync::span::Span;

/// Which endpoint takes a request.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct LoadBalancing {
    /// How an endpoint is chosen.
    pub algorithm: Algorithm,
    /// What RingHash and Maglev hash, one after the other: the first that a request has counts.
    /// A request that has none goes to any endpoint.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = HASH_ON_MAX))]
    pub hash_on: Vec<HashOn>,
    /// New endpoints get less at first. Not with RingHash and Maglev.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_start: Option<SlowStart>,
    /// Below this percentage of endpoints that are not ejected, all get requests. 0 is never.
    #[schemars(range(min = 0, max = 100))]
    pub panic_threshold: u8,
}

/// How an endpoint is chosen.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, JsonSchema)]
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
    /// By a hash, on a ring.
    RingHash,
    /// By a hash, in a table: more even, and more moves when endpoints change.
    Maglev,
}

/// What is hashed.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct HashOn {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: HashKind,
    /// The name of the header field, cookie or query parameter.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = NAME_BYTES_MAX))]
    pub name: String,
}

/// What is hashed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, JsonSchema)]
pub enum HashKind {
    /// A header field.
    Header,
    /// A cookie.
    Cookie,
    /// A query parameter.
    QueryParameter,
    /// The client's address.
    SourceAddress,
}

/// New endpoints get less at first.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SlowStart {
    /// How long an endpoint is new.
    pub window: Span,
    /// How fast its share grows: 1 is evenly, more is faster at first.
    #[serde(default = "one")]
    #[schemars(range(min = AGGRESSION_MIN, max = 100.0))]
    pub aggression: f64,
}

/// What is open to the endpoints of a Service's port at most, in one process; more is answered with
/// 503, and `x-envoy-overloaded`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct CircuitBreaker {
    /// Connections; requests for which there is none wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_connections: Option<u32>,
    /// Requests that wait for a connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_pending_requests: Option<u32>,
    /// Requests at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_requests: Option<u32>,
    /// Requests at a time that were sent before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<u32>,
}

/// Which endpoints get nothing for a while, because they answer badly.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct OutlierDetection {
    /// Answers of 500 and above in a row, or none at all; 0 is never.
    #[serde(rename = "consecutive5xx")]
    pub consecutive_5xx: u32,
    /// Answers of 502, 503 and 504 in a row, or none at all; 0 is never.
    pub consecutive_gateway_errors: u32,
    /// Endpoints that succeed far less often than the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success_rate: Option<SuccessRate>,
    /// How often success rates are looked at.
    pub interval: Span,
    /// How long an endpoint is ejected, times how often it was.
    pub base_ejection_time: Span,
    /// How long an endpoint is ejected at most.
    pub max_ejection_time: Span,
    /// How many of the endpoints may be ejected at a time; one may always.
    #[schemars(range(min = 0, max = 100))]
    pub max_ejection_percent: u8,
}

impl Default for OutlierDetection {
    fn default() -> Self {
        Self {
            consecutive_5xx: 5,
            consecutive_gateway_errors: 0,
            success_rate: None,
            interval: Span::seconds(10),
            base_ejection_time: Span::seconds(30),
            max_ejection_time: Span::seconds(300),
            max_ejection_percent: 10,
        }
    }
}

/// Endpoints that succeed far less often than the others.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct SuccessRate {
    /// Endpoints with enough requests that there must be.
    #[schemars(range(min = 1))]
    pub minimum_hosts: u32,
    /// Requests of an interval that are enough.
    #[schemars(range(min = 1))]
    pub request_volume: u32,
    /// How many standard deviations below the mean is too far.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub stdev_factor: f64,
}

impl Default for SuccessRate {
    fn default() -> Self {
        Self { minimum_hosts: 5, request_volume: 100, stdev_factor: 1.9 }
    }
}

/// Most things that are hashed, one after the other.
pub(in crate::sync) const HASH_ON_MAX: usize = 8;
/// Longest name of a header field, cookie or query parameter.
pub(in crate::sync) const NAME_BYTES_MAX: usize = 256;
/// The slowest growth of a new endpoint's share.
pub(in crate::sync) const AGGRESSION_MIN: f64 = 0.1;

fn one() -> f64 {
    1.0
}
