//! What a TrafficPolicy says of how many requests may come, and of what goes wrong on purpose.
//!
//! It counts nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sync::span::Span;

use super::balancing::NAME_BYTES_MAX;

/// How many requests may come; more are answered with 429. Each process counts by itself.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RateLimit {
    /// So many requests …
    #[schemars(range(min = 1))]
    pub requests: u32,
    /// … in so much time.
    pub per: Span,
    /// So many may come at once; as many as `requests` where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub burst: Option<u32>,
    /// What is counted together.
    #[serde(default)]
    pub key: RateLimitKey,
    /// Whether answers to requests that pass say how much of the limit is left, in
    /// `x-ratelimit-limit`, `x-ratelimit-remaining` and `x-ratelimit-reset`; those that are refused
    /// are always told. Of several limits the one of which the least is left is told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub headers: bool,
}

/// What is counted together.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct RateLimitKey {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: RateLimitKeyKind,
    /// The name of the header field. Requests without it are not limited.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = NAME_BYTES_MAX))]
    pub name: String,
}

/// What is counted together.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, JsonSchema)]
pub enum RateLimitKeyKind {
    /// All requests to a Service that the policy holds for.
    #[default]
    Service,
    /// Those of a client, by its identity, or its address if it has none.
    Principal,
    /// Those with the same value of a header field.
    Header,
}

/// What goes wrong on purpose; the two are drawn independently.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Fault {
    /// Requests that wait before they are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<Delay>,
    /// Requests that are answered with an error instead of being sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abort: Option<Abort>,
}

/// Requests that wait before they are sent.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Delay {
    /// How long.
    pub fixed: Span,
    /// Of how many of them; none where it is not said.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 100.0))]
    pub percentage: f64,
}

/// Requests that are answered with an error: one of the two statuses.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Abort {
    /// The status of HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 200, max = 599))]
    pub http_status: Option<u16>,
    /// The status of gRPC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 16))]
    pub grpc_status: Option<u16>,
    /// Of how many of them; none where it is not said.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub percentage: f64,
}
