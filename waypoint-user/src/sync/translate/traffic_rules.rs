//! What a TrafficPolicy says, in the terms of the mesh.
//!
//! It looks at no other object.

use std::time::Duration;

use crate::{
    mesh::traffic_policy::{
        Abort, AbortStatus, Algorithm, Backoff, Budget, CircuitBreaker, Delay, EndpointRules,
        Fault, HashKey, Hedging, LoadBalancing, OutlierDetection, Percentage, RateLimit,
        RateLimitKey, RequestRules, Retry, RetryOn, SlowStart, SuccessRate, Timeouts,
    },
    sync::{
        span::Span,
        traffic_policy::{
            TrafficPolicySpec as Spec,
            balancing::{self, HashKind},
            limits::{self, RateLimitKeyKind},
            resilience,
        },
    },
};

use super::invalid::Invalid;

/// What holds for endpoints and for requests.
pub(in crate::sync) fn rules(spec: &Spec) -> Result<(EndpointRules, RequestRules), Invalid> {
    if spec.target_refs.is_empty() {
        return Err(Invalid::new("spec.targetRefs: there is none, so that it is for nothing"));
    }
    let at = |field: &'static str| move |cause: Invalid| Invalid::field(field, cause);
    let balancing = spec.load_balancing.as_ref().map(load_balancing).transpose();
    let outliers = spec.outlier_detection.as_ref().map(outlier_detection).transpose();
    let timeouts = spec.timeouts.as_ref();
    let endpoints = EndpointRules {
        load_balancing: balancing.map_err(at("spec.loadBalancing"))?.unwrap_or_default(),
        circuit_breaker: spec.circuit_breaker.as_ref().map(breaker).unwrap_or_default(),
        outlier_detection: outliers.map_err(at("spec.outlierDetection"))?,
        connect_timeout: timeouts.and_then(|timeouts| limited(timeouts.connect)),
    };
    let limits: Result<_, _> = spec.rate_limits.iter().map(rate_limit).collect();
    let requests = RequestRules {
        retry: spec.retry.as_ref().map(retry).transpose().map_err(at("spec.retry"))?,
        hedging: spec.hedging.as_ref().map(hedging).transpose().map_err(at("spec.hedging"))?,
        timeouts: Timeouts {
            request: timeouts.and_then(|timeouts| limited(timeouts.request)),
            stream_idle: timeouts.and_then(|timeouts| limited(timeouts.stream_idle)),
            max_stream_duration: timeouts
                .and_then(|timeouts| limited(timeouts.max_stream_duration)),
        },
        rate_limits: limits.map_err(at("spec.rateLimits"))?,
        fault: spec
            .fault
            .as_ref()
            .map(fault)
            .transpose()
            .map_err(at("spec.fault"))?
            .unwrap_or_default(),
    };
    Ok((endpoints, requests))
}

/// A field that holds for endpoints, if one is set.
pub(super) fn field_of_endpoints(spec: &Spec) -> Option<&'static str> {
    let connect = spec.timeouts.as_ref().and_then(|timeouts| timeouts.connect);
    let fields = [
        ("loadBalancing", spec.load_balancing.is_some()),
        ("circuitBreaker", spec.circuit_breaker.is_some()),
        ("outlierDetection", spec.outlier_detection.is_some()),
        ("timeouts.connect", connect.is_some()),
    ];
    fields.into_iter().find_map(|(field, is_set)| is_set.then_some(field))
}

fn load_balancing(declared: &balancing::LoadBalancing) -> Result<LoadBalancing, Invalid> {
    let keys: Result<Vec<HashKey>, _> = declared.hash_on.iter().map(hash_key).collect();
    let keys = keys?;
    let is_hashed = match declared.algorithm {
        balancing::Algorithm::RingHash | balancing::Algorithm::Maglev => true,
        balancing::Algorithm::LeastRequest
        | balancing::Algorithm::RoundRobin
        | balancing::Algorithm::Random
        | balancing::Algorithm::PeakEwma => false,
    };
    if is_hashed == keys.is_empty() {
        let cause = if is_hashed { "it says of nothing what to hash" } else { "nothing is hashed" };
        return Err(Invalid::field("hashOn", cause));
    }
    if is_hashed && declared.slow_start.is_some() {
        return Err(Invalid::field("slowStart", "shares are fixed where requests are hashed"));
    }
    let algorithm = match declared.algorithm {
        balancing::Algorithm::LeastRequest => Algorithm::LeastRequest,
        balancing::Algorithm::RoundRobin => Algorithm::RoundRobin,
        balancing::Algorithm::Random => Algorithm::Random,
        balancing::Algorithm::PeakEwma => Algorithm::PeakEwma,
        balancing::Algorithm::RingHash => Algorithm::RingHash(keys),
        balancing::Algorithm::Maglev => Algorithm::Maglev(keys),
    };
    let slow_start = declared.slow_start.as_ref().map(slow_start).transpose()?;
    let panic_threshold = percent("panicThreshold", declared.panic_threshold)?;
    Ok(LoadBalancing { algorithm, slow_start, panic_threshold })
}

fn hash_key(declared: &balancing::HashOn) -> Result<HashKey, Invalid> {
    let name = declared.name.clone();
    if name.is_empty() != (declared.kind == HashKind::SourceAddress) {
        let cause = format!("{:?} and name {name:?} do not go together", declared.kind);
        return Err(Invalid::field("hashOn", cause));
    }
    Ok(match declared.kind {
        HashKind::Header => HashKey::Header(name.to_ascii_lowercase()),
        HashKind::Cookie => HashKey::Cookie(name),
        HashKind::QueryParameter => HashKey::QueryParameter(name),
        HashKind::SourceAddress => HashKey::SourceAddress,
    })
}

fn slow_start(declared: &balancing::SlowStart) -> Result<SlowStart, Invalid> {
    let aggression = thousandths("slowStart.aggression", declared.aggression)?;
    if aggression == 0 {
        return Err(Invalid::field("slowStart.aggression", "0 would never end"));
    }
    Ok(SlowStart { window: positive("slowStart.window", declared.window)?, aggression })
}

fn breaker(declared: &balancing::CircuitBreaker) -> CircuitBreaker {
    CircuitBreaker {
        connections: declared.max_connections,
        pending: declared.max_pending_requests,
        requests: declared.max_requests,
        retries: declared.max_retries,
    }
}

fn outlier_detection(declared: &balancing::OutlierDetection) -> Result<OutlierDetection, Invalid> {
    let success_rate = |rate: &balancing::SuccessRate| {
        Ok(SuccessRate {
            minimum_hosts: rate.minimum_hosts,
            request_volume: rate.request_volume,
            stdev_factor: thousandths("successRate.stdevFactor", rate.stdev_factor)?,
        })
    };
    let base = positive("baseEjectionTime", declared.base_ejection_time)?;
    Ok(OutlierDetection {
        consecutive_5xx: declared.consecutive_5xx,
        consecutive_gateway_errors: declared.consecutive_gateway_errors,
        success_rate: declared.success_rate.as_ref().map(success_rate).transpose()?,
        interval: positive("interval", declared.interval)?,
        base_ejection_time: base,
        max_ejection_time: declared.max_ejection_time.0.max(base),
        max_ejection_percent: percent("maxEjectionPercent", declared.max_ejection_percent)?,
    })
}

fn retry(declared: &resilience::Retry) -> Result<Retry, Invalid> {
    if let Some(code) = declared.codes.iter().find(|code| !(400..=599).contains(*code)) {
        return Err(Invalid::field("codes", format!("{code} is not the status of an error")));
    }
    let base = positive("backoff.base", declared.backoff.base)?;
    let max = declared.backoff.max.map_or(base.saturating_mul(10), |max| max.0);
    let budget = |budget: &resilience::Budget| {
        Ok::<_, Invalid>(Budget {
            percent: percent("budget.percent", budget.percent)?,
            min_retries_per_second: budget.min_retries_per_second,
        })
    };
    Ok(Retry {
        on: declared.retry_on.iter().filter_map(|word| retry_on(*word)).collect(),
        codes: declared.codes.clone(),
        attempts: declared.attempts,
        per_try_timeout: limited(declared.per_try_timeout),
        backoff: Backoff { base, max: max.max(base) },
        budget: declared.budget.as_ref().map(budget).transpose()?,
    })
}

/// What a word asks for; codes are sent again with and without their word.
fn retry_on(word: resilience::RetryOn) -> Option<RetryOn> {
    Some(match word {
        resilience::RetryOn::ConnectFailure => RetryOn::ConnectFailure,
        resilience::RetryOn::RefusedStream => RetryOn::RefusedStream,
        resilience::RetryOn::Cancelled => RetryOn::Grpc(1),
        resilience::RetryOn::DeadlineExceeded => RetryOn::Grpc(4),
        resilience::RetryOn::ResourceExhausted => RetryOn::Grpc(8),
        resilience::RetryOn::Internal => RetryOn::Grpc(13),
        resilience::RetryOn::Unavailable => RetryOn::Grpc(14),
        resilience::RetryOn::ServerError => RetryOn::ServerError,
        resilience::RetryOn::GatewayError => RetryOn::GatewayError,
        resilience::RetryOn::Reset => RetryOn::Reset,
        resilience::RetryOn::RetriableClientError => RetryOn::Conflict,
        resilience::RetryOn::RetriableStatusCodes => return None,
    })
}

fn hedging(declared: &resilience::Hedging) -> Result<Hedging, Invalid> {
    if declared.max_requests < 2 {
        return Err(Invalid::field("maxRequests", "fewer than 2 is no hedging"));
    }
    Ok(Hedging { delay: declared.delay.0, max_requests: declared.max_requests })
}

fn rate_limit(declared: &limits::RateLimit) -> Result<RateLimit, Invalid> {
    let per = positive("per", declared.per)?;
    let burst = declared.burst.unwrap_or(declared.requests);
    if declared.requests == 0 || burst == 0 {
        return Err(Invalid::field("requests", "0 would let nothing pass; use a fault for that"));
    }
    let name = &declared.key.name;
    if name.is_empty() == (declared.key.kind == RateLimitKeyKind::Header) {
        let cause = format!("{:?} and name {name:?} do not go together", declared.key.kind);
        return Err(Invalid::field("key", cause));
    }
    let key = match declared.key.kind {
        RateLimitKeyKind::Service => RateLimitKey::Service,
        RateLimitKeyKind::Principal => RateLimitKey::Principal,
        RateLimitKeyKind::Header => RateLimitKey::Header(name.to_ascii_lowercase()),
    };
    let (requests, headers) = (declared.requests, declared.headers);
    Ok(RateLimit { requests, per, burst, key, headers })
}

fn fault(declared: &limits::Fault) -> Result<Fault, Invalid> {
    let delay = |delay: &limits::Delay| {
        let share = share("delay.percentage", delay.percentage)?;
        Ok::<_, Invalid>(Delay { fixed: delay.fixed.0, share })
    };
    let abort = |abort: &limits::Abort| {
        let status = match (abort.http_status, abort.grpc_status) {
            (Some(status @ 200..=599), None) => AbortStatus::Http(status),
            (None, Some(status @ 0..=16)) => AbortStatus::Grpc(status),
            _ => {
                let cause = "give one of httpStatus (200 to 599) and grpcStatus (0 to 16)";
                return Err(Invalid::field("abort", cause));
            }
        };
        Ok(Abort { status, share: share("abort.percentage", abort.percentage)? })
    };
    Ok(Fault {
        delay: declared.delay.as_ref().map(delay).transpose()?,
        abort: declared.abort.as_ref().map(abort).transpose()?,
    })
}

/// A time that ends; zero is none.
fn limited(span: Option<Span>) -> Option<Duration> {
    span.map(|span| span.0).filter(|time| !time.is_zero())
}

fn positive(field: &str, span: Span) -> Result<Duration, Invalid> {
    if span.0.is_zero() {
        return Err(Invalid::field(field, "0s is too short"));
    }
    Ok(span.0)
}

fn percent(field: &str, value: u8) -> Result<u8, Invalid> {
    if value > 100 {
        return Err(Invalid::field(field, format!("{value} is more than 100 percent")));
    }
    Ok(value)
}

fn share(field: &str, value: f64) -> Result<Percentage, Invalid> {
    let wrong = || Invalid::field(field, format!("{value} is not between 0 and 100"));
    Percentage::of_hundred(value).ok_or_else(wrong)
}

fn thousandths(field: &str, value: f64) -> Result<u32, Invalid> {
    if !(0.0..=100.0).contains(&value) {
        return Err(Invalid::field(field, format!("{value} is not between 0 and 100")));
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is at most a hundred thousand")]
    #[expect(clippy::cast_sign_loss, reason = "it is not below zero")]
    Ok((value * 1000.0).round() as u32)
}
