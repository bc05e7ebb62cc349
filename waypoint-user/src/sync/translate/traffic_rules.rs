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
            RATE_LIMITS_MAX, TARGETS_MAX, TrafficPolicySpec as Spec,
            balancing::{self, HashKind},
            limits::{self, RateLimitKeyKind},
            resilience,
        },
    },
};

use super::{invalid::Invalid, route_matches::header_name};

/// What holds for endpoints and for requests.
pub(in crate::sync) fn rules(spec: &Spec) -> Result<(EndpointRules, RequestRules), Invalid> {
    if spec.target_refs.is_empty() {
        return Err(Invalid::new("spec.targetRefs: there is none, so that it is for nothing"));
    }
    few("spec.targetRefs", &spec.target_refs, TARGETS_MAX)?;
    few("spec.rateLimits", &spec.rate_limits, RATE_LIMITS_MAX)?;
    let at = |field: &'static str| move |cause: Invalid| Invalid::field(field, cause);
    let breaker = spec.circuit_breaker.as_ref().map(breaker).transpose();
    let balancing = spec.load_balancing.as_ref().map(load_balancing).transpose();
    let outliers = spec.outlier_detection.as_ref().map(outlier_detection).transpose();
    let timeouts = spec.timeouts.as_ref();
    let endpoints = EndpointRules {
        load_balancing: balancing.map_err(at("spec.loadBalancing"))?.unwrap_or_default(),
        circuit_breaker: breaker.map_err(at("spec.circuitBreaker"))?.unwrap_or_default(),
        outlier_detection: outliers.map_err(at("spec.outlierDetection"))?,
        connect_timeout: timeouts.and_then(|timeouts| limited(timeouts.connect)),
    };
    let limits: Result<_, _> = spec.rate_limits.iter().map(rate_limit).collect();
    let requests = RequestRules {
        retry: spec.retry.as_ref().map(retry).transpose().map_err(at("spec.retry"))?,
        hedging: spec.hedging.as_ref().map(hedging).transpose().map_err(at("spec.hedging"))?,
        timeouts: Timeouts {
            // Zero is said, as a route may say otherwise.
            request: timeouts.and_then(|timeouts| timeouts.request).map(|span| span.0),
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

/// A field that only requests have a use for, if one is set.
pub(super) fn field_of_requests(spec: &Spec) -> Option<&'static str> {
    let request = spec.timeouts.as_ref().and_then(|timeouts| timeouts.request);
    let fields = [
        ("retry", spec.retry.is_some()),
        ("hedging", spec.hedging.is_some()),
        ("timeouts.request", request.is_some()),
        ("rateLimits", !spec.rate_limits.is_empty()),
        ("fault", spec.fault.is_some()),
    ];
    fields.into_iter().find_map(|(field, is_set)| is_set.then_some(field))
}

fn load_balancing(declared: &balancing::LoadBalancing) -> Result<LoadBalancing, Invalid> {
    few("hashOn", &declared.hash_on, balancing::HASH_ON_MAX)?;
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
    short("hashOn", &name)?;
    Ok(match declared.kind {
        HashKind::Header => HashKey::Header(field_name("hashOn", &name)?),
        HashKind::Cookie => HashKey::Cookie(name),
        HashKind::QueryParameter => HashKey::QueryParameter(name),
        HashKind::SourceAddress => HashKey::SourceAddress,
    })
}

fn slow_start(declared: &balancing::SlowStart) -> Result<SlowStart, Invalid> {
    let aggression = thousandths("slowStart.aggression", declared.aggression)?;
    if declared.aggression < balancing::AGGRESSION_MIN {
        let cause = format!("it is less than {}, and would hardly end", balancing::AGGRESSION_MIN);
        return Err(Invalid::field("slowStart.aggression", cause));
    }
    Ok(SlowStart { window: positive("slowStart.window", declared.window)?, aggression })
}

fn breaker(declared: &balancing::CircuitBreaker) -> Result<CircuitBreaker, Invalid> {
    let some = |field, number: Option<u32>| number.map(|number| some(field, number)).transpose();
    Ok(CircuitBreaker {
        connections: some("maxConnections", declared.max_connections)?,
        pending: declared.max_pending_requests,
        requests: some("maxRequests", declared.max_requests)?,
        retries: declared.max_retries,
    })
}

fn outlier_detection(declared: &balancing::OutlierDetection) -> Result<OutlierDetection, Invalid> {
    let success_rate = |rate: &balancing::SuccessRate| {
        Ok::<_, Invalid>(SuccessRate {
            minimum_hosts: some("successRate.minimumHosts", rate.minimum_hosts)?,
            request_volume: some("successRate.requestVolume", rate.request_volume)?,
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
    few("codes", &declared.codes, resilience::CODES_MAX)?;
    few("retryOn", &declared.retry_on, resilience::RETRY_ON_MAX)?;
    if declared.attempts > resilience::ATTEMPTS_MAX {
        let most = resilience::ATTEMPTS_MAX;
        return Err(Invalid::field("attempts", format!("it is more than {most}")));
    }
    let base = positive("backoff.base", declared.backoff.base)?;
    let max = declared.backoff.max.map_or(base.saturating_mul(10), |max| max.0);
    let budget = |budget: &resilience::Budget| {
        Ok::<_, Invalid>(Budget {
            percent: percent("budget.percent", budget.percent)?,
            min_retries_per_second: budget.min_retries_per_second,
        })
    };
    let words = &declared.retry_on;
    if words.contains(&resilience::RetryOn::RetriableStatusCodes) && declared.codes.is_empty() {
        return Err(Invalid::field("retryOn", "retriable-status-codes, and there are no codes"));
    }
    let on = match words.as_slice() {
        [] => RetryOn::DEFAULT.to_vec(),
        words => words.iter().filter_map(|word| retry_on(*word)).collect(),
    };
    Ok(Retry {
        on,
        codes: declared.codes.clone(),
        attempts: declared.attempts,
        per_try_timeout: declared.per_try_timeout.map(|span| span.0),
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
    let (least, most) = (resilience::HEDGED_MIN, resilience::HEDGED_MAX);
    if !(least..=most).contains(&declared.max_requests) {
        return Err(Invalid::field("maxRequests", format!("it is not in {least} to {most}")));
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
    short("key", name)?;
    let key = match declared.key.kind {
        RateLimitKeyKind::Service => RateLimitKey::Service,
        RateLimitKeyKind::Principal => RateLimitKey::Principal,
        RateLimitKeyKind::Header => RateLimitKey::Header(field_name("key", name)?),
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

/// A list that is not too long.
fn few<T>(field: &str, list: &[T], most: usize) -> Result<(), Invalid> {
    if list.len() > most {
        return Err(Invalid::field(field, format!("{} are more than {most}", list.len())));
    }
    Ok(())
}

/// A number that is not zero.
fn some(field: &str, number: u32) -> Result<u32, Invalid> {
    if number == 0 {
        return Err(Invalid::field(field, "0 is too few"));
    }
    Ok(number)
}

/// A name that is not too long.
fn short(field: &str, name: &str) -> Result<(), Invalid> {
    let most = balancing::NAME_BYTES_MAX;
    if name.len() > most {
        return Err(Invalid::field(field, format!("a name is longer than {most} bytes")));
    }
    Ok(())
}

/// The name of a header field, in lower case.
fn field_name(field: &str, name: &str) -> Result<String, Invalid> {
    header_name(name).map_err(|cause| Invalid::field(field, cause))
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
