//! What goes wrong with a connection or a request, and how each case is answered: one table for the
//! status, the body, the access log's flag and details, and whether another try is allowed.
//!
//! It sends nothing. The texts and flags are Envoy's, because people's tools look for them.

use std::{borrow::Cow, fmt, time::Duration};

use http::{HeaderName, HeaderValue};

use crate::mesh::traffic_policy::AbortStatus;

use super::regime::Refusal;

/// Something that went wrong, or was not allowed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    /// The request is malformed in a way that the codec cannot see.
    BadRequest(&'static str),
    /// The method is not served here.
    MethodRefused,
    /// The policies deny it; the rule that says so, if it was one.
    Denied(Option<String>),
    /// The destination is not known, or no longer.
    UnknownDestination,
    /// No rule of the routes matches.
    NoRoute,
    /// The rule that matches has no place to send requests.
    NoBackend(String),
    /// Whoever had to be asked whether it may pass said no, in a way that is no answer for the
    /// client.
    Forbidden,
    /// Whoever had to be asked whether it may pass did not answer.
    Unasked,
    /// The body is longer than whoever must be asked may be shown.
    TooLarge,
    /// The body that whoever must be asked is shown did not come in time.
    SlowBody,
    /// No route is for the server that a connection asks for.
    NoSuchServer(String),
    /// It is not known which server a connection asks for, and routes go by that.
    Unnamed(Unnamed),
    /// No endpoint is ready.
    NoEndpoint,
    /// The endpoint could not be reached.
    ConnectFailed(String),
    /// The endpoint did not answer the connection in time.
    ConnectTimeout,
    /// We have no identity to prove to the endpoint.
    NoIdentity,
    /// The time for it is over.
    TooLate(Late),
    /// The endpoint closed the connection before its response.
    UpstreamClosed,
    /// The endpoint refused the request before it looked at it.
    UpstreamRefused,
    /// The endpoint closed the connection within its response.
    UpstreamCut,
    /// The endpoint's response is malformed.
    UpstreamProtocol,
    /// The circuit breaker lets nothing more through.
    Overflow,
    /// Too many requests came; the limit that says so.
    RateLimited(Refusal),
    /// A policy wants it to go wrong.
    Injected(AbortStatus),
    /// Nothing moved for too long.
    Idle,
    /// This process has too much to do.
    Overloaded,
    /// The client went away.
    ClientGone,
    /// The policies deny now what they once allowed.
    Revoked(Option<String>),
    /// A drain ended before the request did.
    Drained,
}

/// Why it is not known which server a connection asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unnamed {
    /// It asks for none.
    Nameless,
    /// It does not speak TLS, or one that is too old.
    NotTls,
    /// It ended before it said so.
    Gone,
    /// It did not say so in time.
    Late,
    /// What it said was too long.
    TooLong,
}

impl Unnamed {
    /// The word of the access log.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Nameless => "no_server_name",
            Self::NotTls => "not_tls",
            Self::Gone => "no_client_hello",
            Self::Late => "client_hello_timeout",
            Self::TooLong => "client_hello_too_long",
        }
    }

    /// Whether a limit was hit.
    pub(super) const fn is_limit(self) -> bool {
        matches!(self, Self::Late | Self::TooLong)
    }
}

/// What was late.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Late {
    /// The response, with all that was tried for it.
    Request,
    /// The response of one endpoint.
    Try,
    /// The response, as the client's own `grpc-timeout` has it.
    Call,
    /// The end of a response, whatever had moved.
    Stream,
    /// The end of a response that had begun.
    Rest,
}

/// Whose fault something is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Blame {
    /// The client's.
    Client,
    /// The backend's.
    Backend,
    /// Ours, or our operator's.
    Waypoint,
}

impl Blame {
    /// The word of the access log.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Backend => "backend",
            Self::Waypoint => "waypoint",
        }
    }
}

/// How a fault is answered and told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// Whose fault it is.
    pub(super) blame: Blame,
    /// The status; zero when nothing can be answered.
    pub(super) status: u16,
    /// The response flag; empty for none.
    pub(super) flag: &'static str,
    /// Whether another endpoint may be tried: nothing was processed yet.
    pub(super) may_retry: bool,
}

impl Fault {
    /// The table.
    #[rustfmt::skip]
    #[expect(clippy::match_same_arms, reason = "each fault has its own row")]
    pub(super) const fn row(&self) -> Row {
        let (blame, status, flag, may_retry) = match self {
            Self::BadRequest(_)      => (Blame::Client,   400, "DPE", false),
            Self::MethodRefused      => (Blame::Client,   405, "DPE", false),
            Self::Denied(_)          => (Blame::Client,   403, "",    false),
            Self::UnknownDestination => (Blame::Waypoint, 503, "NC",  false),
            Self::NoRoute            => (Blame::Client,   404, "NR",  false),
            Self::NoBackend(_)       => (Blame::Waypoint, 500, "NC",  false),
            Self::Forbidden          => (Blame::Client,   403, "UAEX", false),
            Self::Unasked            => (Blame::Backend,  503, "UAEX", false),
            Self::TooLarge           => (Blame::Client,   413, "",    false),
            Self::SlowBody           => (Blame::Client,   408, "",    false),
            Self::NoSuchServer(_)
            | Self::Unnamed(_)       => (Blame::Client,   404, "NR",  false),
            Self::NoEndpoint         => (Blame::Backend,  503, "UH",  false),
            Self::ConnectFailed(_)
            | Self::ConnectTimeout   => (Blame::Backend,  503, "UF",  true),
            Self::NoIdentity         => (Blame::Waypoint, 503, "UF",  false),
            Self::TooLate(Late::Rest) => (Blame::Backend, 0,   "UT",  false),
            Self::TooLate(Late::Stream) => (Blame::Backend, 504, "UMSDR", false),
            Self::TooLate(_)         => (Blame::Backend,  504, "UT",  false),
            Self::UpstreamClosed     => (Blame::Backend,  503, "UC",  false),
            Self::UpstreamRefused    => (Blame::Backend,  503, "UR",  true),
            Self::UpstreamCut        => (Blame::Backend,  0,   "UC",  false),
            Self::UpstreamProtocol   => (Blame::Backend,  502, "UPE", false),
            Self::Overflow           => (Blame::Backend,  503, "UO",  false),
            Self::RateLimited(_)     => (Blame::Client,   429, "RL",  false),
            Self::Injected(AbortStatus::Http(status)) => (Blame::Waypoint, *status, "FI", false),
            Self::Injected(AbortStatus::Grpc(_))      => (Blame::Waypoint, 200, "FI", false),
            Self::Idle               => (Blame::Backend,  504, "SI",  false),
            Self::Overloaded         => (Blame::Waypoint, 503, "OM",  false),
            Self::ClientGone         => (Blame::Client,   0,   "DC",  false),
            Self::Revoked(_)         => (Blame::Client,   0,   "",    false),
            Self::Drained            => (Blame::Waypoint, 0,   "DR",  false),
        };
        Row { blame, status, flag, may_retry }
    }

    /// The body of the response.
    pub(super) fn body(&self) -> Cow<'static, str> {
        match self {
            Self::Denied(_) => Cow::Borrowed("RBAC: access denied"),
            Self::NoEndpoint => Cow::Borrowed("no healthy upstream"),
            Self::ConnectFailed(cause) => Cow::Owned(format!(
                "{RESET_BODY}remote connection failure, transport failure reason: \
                 delayed connect error: {cause}"
            )),
            Self::ConnectTimeout => Cow::Owned(format!("{RESET_BODY}connection timeout")),
            Self::NoIdentity => Cow::Owned(format!("{RESET_BODY}no identity")),
            Self::TooLate(Late::Rest) => Cow::Borrowed(""),
            Self::TooLate(_) => Cow::Borrowed("upstream request timeout"),
            Self::UpstreamClosed => Cow::Owned(format!("{RESET_BODY}connection termination")),
            Self::UpstreamRefused => Cow::Owned(format!("{RESET_BODY}remote refused stream reset")),
            Self::UpstreamProtocol => Cow::Owned(format!("{RESET_BODY}protocol error")),
            Self::TooLarge => Cow::Borrowed("Payload Too Large"),
            Self::SlowBody => Cow::Borrowed("request timeout"),
            Self::Overflow => Cow::Owned(format!("{RESET_BODY}overflow")),
            Self::RateLimited(_) => Cow::Borrowed("local_rate_limited"),
            Self::Injected(_) => Cow::Borrowed("fault filter abort"),
            Self::Idle => Cow::Borrowed("stream timeout"),
            Self::Overloaded => Cow::Borrowed("waypoint overloaded"),
            Self::BadRequest(what) => Cow::Borrowed(what),
            _ => Cow::Borrowed(""),
        }
    }

    /// Whether it says something of the endpoint that was asked.
    pub(super) const fn is_of_endpoint(&self) -> bool {
        matches!(
            self,
            Self::ConnectFailed(_)
                | Self::ConnectTimeout
                | Self::UpstreamClosed
                | Self::UpstreamRefused
                | Self::UpstreamProtocol
                | Self::TooLate(Late::Try)
        )
    }

    /// Fields that only this fault has.
    pub(super) fn fields(&self) -> Vec<(HeaderName, HeaderValue)> {
        let field = |name, value| (HeaderName::from_static(name), value);
        let yes = || HeaderValue::from_static("true");
        match self {
            Self::Overflow => vec![field("x-envoy-overloaded", yes())],
            Self::Overloaded => vec![field("x-waypoint-overloaded", yes())],
            Self::RateLimited(refusal) => {
                vec![
                    field(LIMIT, refusal.burst.into()),
                    field(REMAINING, HeaderValue::from_static("0")),
                    field(RESET, seconds(refusal.wait).into()),
                ]
            }
            _ => Vec::new(),
        }
    }

    /// Why the endpoint could not be reached, if that is the fault.
    pub(super) fn transport_failure(&self) -> Option<String> {
        match self {
            Self::ConnectFailed(cause) => Some(format!("delayed connect error: {cause}")),
            Self::ConnectTimeout => Some("connection timeout".to_owned()),
            _ => None,
        }
    }

    /// The gRPC status that stands for the HTTP status of the row.
    pub(super) const fn grpc_status(&self) -> u16 {
        match self {
            Self::TooLate(Late::Call) => return GRPC_DEADLINE_EXCEEDED,
            // Gateway API GRPCBackendRef: its share of the calls is unavailable.
            Self::NoBackend(_) => return GRPC_UNAVAILABLE,
            Self::Injected(AbortStatus::Grpc(status)) => return *status,
            _ => {}
        }
        match self.row().status {
            400 => 13,
            401 => 16,
            403 => 7,
            404 => 12,
            429 | 502..=504 => 14,
            _ => 2,
        }
    }
}

/// The response code details of the access log.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadRequest(_) => f.write_str("http1.codec_error"),
            Self::MethodRefused => f.write_str("connect_not_allowed"),
            Self::Denied(rule) | Self::Revoked(rule) => {
                let rule = rule.as_deref().unwrap_or("none");
                write!(f, "rbac_access_denied_matched_policy[{rule}]")
            }
            Self::UnknownDestination => f.write_str("filter_chain_not_found"),
            Self::NoRoute => f.write_str("route_not_found"),
            Self::NoBackend(_) => f.write_str("cluster_not_found"),
            Self::Forbidden => f.write_str(AUTH_DENIED),
            Self::Unasked => f.write_str("ext_authz_error"),
            Self::TooLarge => f.write_str("request_payload_too_large"),
            Self::SlowBody => f.write_str("request_overall_timeout"),
            Self::NoSuchServer(name) => {
                write!(f, "filter_chain_not_found{{server_name:{}}}", name.escape_default())
            }
            Self::Unnamed(why) => write!(f, "filter_chain_not_found{{{}}}", why.as_str()),
            Self::NoEndpoint => f.write_str("no_healthy_upstream"),
            Self::ConnectFailed(cause) => {
                let cause = cause.replace(' ', "_");
                let reason = "remote_connection_failure|delayed_connect_error:_";
                write!(f, "upstream_reset_before_response_started{{{reason}{cause}}}")
            }
            Self::ConnectTimeout => {
                f.write_str("upstream_reset_before_response_started{connection_timeout}")
            }
            Self::NoIdentity => f.write_str("upstream_reset_before_response_started{no_identity}"),
            Self::TooLate(Late::Request) => f.write_str("upstream_response_timeout"),
            Self::TooLate(Late::Try) => f.write_str("upstream_per_try_timeout"),
            Self::TooLate(Late::Call) => f.write_str("upstream_max_stream_duration_reached"),
            Self::TooLate(Late::Rest) => {
                f.write_str("upstream_reset_after_response_started{response_timeout}")
            }
            Self::UpstreamRefused => {
                f.write_str("upstream_reset_before_response_started{remote_refused_stream_reset}")
            }
            Self::UpstreamClosed => {
                f.write_str("upstream_reset_before_response_started{connection_termination}")
            }
            Self::UpstreamCut => {
                f.write_str("upstream_reset_after_response_started{connection_termination}")
            }
            Self::UpstreamProtocol => {
                f.write_str("upstream_reset_before_response_started{protocol_error}")
            }
            Self::TooLate(Late::Stream) => f.write_str("max_duration_timeout"),
            Self::Overflow => f.write_str("upstream_reset_before_response_started{overflow}"),
            Self::RateLimited(_) => f.write_str("local_rate_limited"),
            Self::Injected(_) => f.write_str("fault_filter_abort"),
            Self::Idle => f.write_str("stream_idle_timeout"),
            Self::Overloaded => f.write_str("overload"),
            Self::ClientGone => f.write_str("downstream_remote_disconnect"),
            Self::Drained => f.write_str("drain_deadline"),
        }
    }
}

/// How many may come at once.
pub(super) const LIMIT: &str = "x-ratelimit-limit";
/// How many more may come now.
pub(super) const REMAINING: &str = "x-ratelimit-remaining";
/// In how many seconds more may come.
pub(super) const RESET: &str = "x-ratelimit-reset";

/// Whole seconds; one that has begun is not over.
pub(super) fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// The response code details of what an external authority denied.
pub(super) const AUTH_DENIED: &str = "ext_authz_denied";

/// The gRPC status of what may come to be available.
const GRPC_UNAVAILABLE: u16 = 14;

/// The gRPC status of a call whose time is over.
const GRPC_DEADLINE_EXCEEDED: u16 = 4;

/// How Envoy begins the body of a 503.
const RESET_BODY: &str =
    "upstream connect error or disconnect/reset before headers. reset reason: ";

#[cfg(test)]
mod tests;
