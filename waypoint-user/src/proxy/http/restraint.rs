//! What holds a request back before it is sent: rate limits, then what goes wrong on purpose.
//!
//! What is left of the limits is told to the client where the policy says so, by the names that
//! Envoy gives the fields (IETF `draft-polli-ratelimit-headers-03`).
//!
//! Policies of authorisation come before; what happens after is `forward`'s.

use std::borrow::Cow;

use http::HeaderMap;
use tokio::time::sleep;

use crate::{
    mesh::{request::Peer, traffic_policy::RateLimitKey},
    proxy::{
        head::HeadRef,
        record::{DELAYED, Record},
        regime::Left,
        respond::{Fault, LIMIT, REMAINING, RESET, seconds},
        view::Governed,
        worker::Worker,
    },
};

/// Holds a request back, or refuses it; what the answer is to say of limits, if anything.
pub(super) async fn hold_back(
    governed: &Governed,
    (head, peer): (&HeadRef<'_>, &Peer),
    worker: &Worker,
    record: &mut Record,
) -> Result<Option<Left>, Fault> {
    governed.asked();
    let left = limit(governed, head, peer)?;
    let mut dice = |bound| worker.dice(bound);
    let faults = &governed.rules().fault;
    let delay = faults.delay.filter(|delay| delay.share.hits(&mut dice));
    let abort = faults.abort.filter(|abort| abort.share.hits(&mut dice));
    if let Some(delay) = delay {
        record.flag = DELAYED;
        sleep(delay.fixed).await;
    }
    abort.map_or(Ok(left), |abort| Err(Fault::Injected(abort.status)))
}

/// Whether every limit has room for the request; what is left of the one that is told of.
fn limit(governed: &Governed, head: &HeadRef<'_>, peer: &Peer) -> Result<Option<Left>, Fault> {
    let limiters = governed.limiters();
    if limiters.is_empty() {
        return Ok(None);
    }
    let now = governed.now();
    let mut least: Option<Left> = None;
    for limiter in limiters {
        let key = match &limiter.rule().key {
            RateLimitKey::Service => None,
            RateLimitKey::Principal => Some(Cow::Owned(principal(peer))),
            // Whoever leaves it out is not counted, whoever writes what is no text is.
            RateLimitKey::Header(name) => match values(head.fields(), name) {
                Some(value) => Some(value),
                None => continue,
            },
        };
        let left = limiter.take(key.as_deref(), now).map_err(Fault::RateLimited)?;
        let is_least = least.is_none_or(|least| left.remaining < least.remaining);
        if limiter.rule().headers && is_least {
            least = Some(left);
        }
    }
    Ok(least)
}

/// Says in an answer what is left of a limit.
pub(super) fn tell(left: &Left, headers: &mut HeaderMap) {
    headers.insert(LIMIT, left.burst.into());
    headers.insert(REMAINING, left.remaining.into());
    headers.insert(RESET, seconds(left.reset).into());
}

/// The values of a field, which need not be text; `None` where there is none.
fn values<'a>(headers: &'a HeaderMap, name: &str) -> Option<Cow<'a, str>> {
    let mut values =
        headers.get_all(name).iter().map(|one| String::from_utf8_lossy(one.as_bytes()));
    let first = values.next()?;
    Some(values.fold(first, |all, value| all + "," + value))
}

/// Who asks, as limits tell clients apart.
fn principal(peer: &Peer) -> String {
    let address = || peer.address.ip().to_canonical().to_string();
    peer.identity.as_ref().map_or_else(address, ToString::to_string)
}
