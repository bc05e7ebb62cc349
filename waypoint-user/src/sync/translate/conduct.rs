//! How the requests of a rule are brought to their backends: timeouts, retries and sessions of
//! HTTPRoutes (GEP-1742, GEP-1731, GEP-1619).

use std::time::Duration;

use gateway_api::experimental::httproutes::{
    HttpRouteRules as Rules, HttpRouteRulesRetry as DeclaredRetry,
    HttpRouteRulesSessionPersistence as Session,
    HttpRouteRulesSessionPersistenceCookieConfigLifetimeType as Lifetime,
    HttpRouteRulesSessionPersistenceType as SessionType,
    HttpRouteRulesTimeouts as DeclaredTimeouts,
};

use crate::mesh::route::{Carrier, Conduct, Persistence, Retry, Timeouts};

use super::{durations, invalid::Invalid, route_matches::header_name};

/// What a rule says of it.
pub(super) fn of_rule(declared: &Rules) -> Result<Conduct, Invalid> {
    Ok(Conduct {
        timeouts: declared.timeouts.as_ref().map(timeouts).transpose()?.unwrap_or_default(),
        retry: declared.retry.as_ref().map(retry).transpose()?,
        persistence: declared.session_persistence.as_ref().map(persistence).transpose()?,
    })
}

/// A time of zero is none.
fn timeouts(declared: &DeclaredTimeouts) -> Result<Timeouts, Invalid> {
    let positive = |time: Option<Duration>| time.filter(|time| !time.is_zero());
    let request = durations::optional("timeouts.request", declared.request.as_deref())?;
    let of_backend = declared.backend_request.as_deref();
    let of_backend = durations::optional("timeouts.backendRequest", of_backend)?;
    let timeouts = Timeouts { request: positive(request), backend_request: positive(of_backend) };
    if let (Some(all), Some(each)) = (timeouts.request, timeouts.backend_request)
        && each > all
    {
        return Err(Invalid::new("timeouts.backendRequest is longer than timeouts.request"));
    }
    Ok(timeouts)
}

fn retry(declared: &DeclaredRetry) -> Result<Retry, Invalid> {
    let code = |code: &i64| {
        let known = u16::try_from(*code).ok().filter(|code| CODES.contains(code));
        known.ok_or_else(|| Invalid::field("retry.codes", format!("{code} is not in 400 to 599")))
    };
    let attempts = declared.attempts.unwrap_or(Retry::ATTEMPTS_DEFAULT.into());
    let attempts = u32::try_from(attempts).map_err(|_| {
        Invalid::field("retry.attempts", format!("{attempts} is no number of them"))
    })?;
    Ok(Retry {
        codes: declared.codes.iter().flatten().map(code).collect::<Result<_, _>>()?,
        attempts,
        backoff: durations::optional("retry.backoff", declared.backoff.as_deref())?,
    })
}

fn persistence(declared: &Session) -> Result<Persistence, Invalid> {
    let field = |name, text: &Option<String>| {
        durations::optional(&format!("sessionPersistence.{name}"), text.as_deref())
    };
    let absolute = field("absoluteTimeout", &declared.absolute_timeout)?;
    let lifetime = declared.cookie_config.as_ref().and_then(|config| config.lifetime_type.as_ref());
    let permanent = matches!(lifetime, Some(Lifetime::Permanent));
    if permanent && absolute.is_none() {
        let message = "sessionPersistence: a permanent cookie needs absoluteTimeout";
        return Err(Invalid::new(message));
    }
    let carrier = match declared.r#type {
        Some(SessionType::Header) => Carrier::Header,
        Some(SessionType::Cookie) | None => Carrier::Cookie { permanent },
    };
    let name = declared.session_name.as_deref().unwrap_or(SESSION_NAME);
    let lower = header_name(name)
        .map_err(|cause| Invalid::field("sessionPersistence.sessionName", cause))?;
    Ok(Persistence {
        name: if carrier == Carrier::Header { lower } else { name.to_owned() },
        carrier,
        absolute,
        idle: field("idleTimeout", &declared.idle_timeout)?,
    })
}

/// The codes that a request may be tried again for (Gateway API HTTPRouteRetryStatusCode).
const CODES: std::ops::RangeInclusive<u16> = 400..=599;

/// The name of a session that has none. Cookies of rules with other backends do not disturb each
/// other: one that names none of the rule's endpoints is no session of it.
const SESSION_NAME: &str = "waypoint-session";
