//! What a TrafficPolicy says of requests that fail or take long.
//!
//! It sends nothing again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sync::span::Span;

/// Which requests are sent again. A body that was begun and is longer than 64 KiB is not.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Retry {
    /// What must have happened. Where none is named: connect-failure, refused-stream, unavailable
    /// and cancelled, also if there are `codes`.
    // Not `on`, which YAML takes for a truth value.
    #[schemars(length(max = RETRY_ON_MAX))]
    pub retry_on: Vec<RetryOn>,
    /// Statuses that are sent again, whatever the conditions say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = CODES_MAX), inner(range(min = 400, max = 599)))]
    pub codes: Vec<u16>,
    /// How often a request is sent again; 0 is never.
    #[schemars(range(min = 0, max = ATTEMPTS_MAX))]
    pub attempts: u8,
    /// How long one attempt may take, with its response; `0s` is for ever, and without it a route's
    /// own timeout holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_try_timeout: Option<Span>,
    /// How long is waited between attempts.
    pub backoff: Backoff,
    /// How many of the requests may be sent again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            retry_on: Vec::new(),
            codes: Vec::new(),
            attempts: 2,
            per_try_timeout: None,
            backoff: Backoff::default(),
            budget: None,
        }
    }
}

/// What must have happened to a request that is sent again.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RetryOn {
    /// The endpoint could not be reached.
    ConnectFailure,
    /// The endpoint refused the stream before it looked at it.
    RefusedStream,
    /// A gRPC status UNAVAILABLE.
    Unavailable,
    /// A gRPC status CANCELLED.
    Cancelled,
    /// A gRPC status DEADLINE_EXCEEDED.
    DeadlineExceeded,
    /// A gRPC status INTERNAL.
    Internal,
    /// A gRPC status RESOURCE_EXHAUSTED.
    ResourceExhausted,
    /// 500 and above, or no answer at all.
    #[serde(rename = "5xx")]
    ServerError,
    /// 502, 503 or 504, or no answer at all.
    GatewayError,
    /// No answer at all: the endpoint closed the connection, or took too long.
    Reset,
    /// 409.
    #[serde(rename = "retriable-4xx")]
    RetriableClientError,
    /// A status of `codes`, and nothing else if it is the only word; with other words it adds
    /// nothing, as `codes` count in any case. Not without `codes`.
    RetriableStatusCodes,
}

/// How long is waited between attempts: a time by chance that may be twice as long each time.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Backoff {
    /// The longest wait before the first attempt.
    pub base: Span,
    /// The longest wait of all; ten times the base where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<Span>,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { base: Span::millis(25), max: None }
    }
}

/// How many of the requests may be sent again.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Budget {
    /// Percentage of the requests of the last ten seconds.
    #[schemars(range(min = 0, max = 100))]
    pub percent: u8,
    /// What may be sent again in any case.
    pub min_retries_per_second: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self { percent: 20, min_retries_per_second: 10 }
    }
}

/// Which requests are sent a second time before the first is answered: GET, HEAD and OPTIONS
/// without a body. The first answer counts, the others are cancelled.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Hedging {
    /// How long an answer is waited for first.
    pub delay: Span,
    /// How often a request is sent at most.
    #[serde(default = "two")]
    #[schemars(range(min = HEDGED_MIN, max = HEDGED_MAX))]
    pub max_requests: u8,
}

/// How long things may take; `0s` is for ever.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Timeouts {
    /// A request, until its response has ended, with all that is tried. Without it a route's own
    /// timeout holds. Not for TLSRoutes and TCPRoutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Span>,
    /// A request, or an opaque connection, on which nothing moves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_idle: Option<Span>,
    /// A request, until its response has ended, or an opaque connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_stream_duration: Option<Span>,
    /// Connecting to an endpoint. Only for Services, ServiceEntries and Gateways.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect: Option<Span>,
}

/// Most conditions of a retry.
pub(in crate::sync) const RETRY_ON_MAX: usize = 16;
/// Most statuses that are sent again.
pub(in crate::sync) const CODES_MAX: usize = 32;
/// How often a request is sent again at most.
pub(in crate::sync) const ATTEMPTS_MAX: u8 = 16;
/// How often a request is sent where it is hedged, at least and at most.
pub(in crate::sync) const HEDGED_MIN: u8 = 2;
pub(in crate::sync) const HEDGED_MAX: u8 = 5;

fn two() -> u8 {
    2
}
