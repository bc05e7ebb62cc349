//! A request that is sent to more than one endpoint, because the first takes long.
//!
//! The first good answer counts; the others are cancelled when it is there. Which requests may be
//! sent so, `tries` says.
//!
//! **Invariant:** what is sent twice does no harm when it is processed twice, and has no body.

use std::{net::SocketAddr, pin::pin};

use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use http::Request;
use tokio::time::{Instant, sleep};

use crate::{
    mesh::{request::Peer, traffic_policy::Hedging},
    proxy::{
        regime::Permit,
        respond::{Fault, Late},
        view::{Endpoint, Governed},
    },
};

use super::{
    RequestBody,
    deadline::{Until, within},
    forward::{Answered, Trail, send_to},
    tries::Course,
};

/// Sends a request until one of the endpoints answers it well, or all of them have failed.
pub(super) async fn send(
    course: &Course<'_>,
    hedging: Hedging,
    (request, first): (Request<RequestBody>, &Endpoint),
    mut trail: Trail<'_>,
) -> Result<Answered, Fault> {
    let peer = trail.peer;
    let copy = || copy_of(&request);
    let mut under_way = FuturesUnordered::new();
    let mut asked = vec![first.address];
    // Counts what is sent again.
    let mut permits = Vec::new();
    under_way.push(ask(course, first, copy(), peer));
    loop {
        let more = asked.len() < usize::from(hedging.max_requests);
        let failed = tokio::select! {
            biased;
            Some((endpoint, sent)) = under_way.next() => {
                trail.follow(endpoint);
                match sent {
                    Ok(answered) if !course.is_bad(&answered.response) => return Ok(answered),
                    other => Some(other),
                }
            }
            () = sleep(hedging.delay), if more => None,
        };
        let next = if more { other(course, &asked) } else { None };
        match (next, failed) {
            (Some((next, permit)), _) => {
                permits.push(permit);
                asked.push(next.address);
                under_way.push(ask(course, next, copy(), peer));
            }
            (None, Some(last)) if under_way.is_empty() => return last,
            (None, Some(_)) => {}
            // There is nobody else; whoever was asked may still answer.
            (None, None) => asked.resize(usize::from(hedging.max_requests), first.address),
        }
    }
}

/// An endpoint that was not asked yet, if circuit breaker and budget have room.
fn other<'a>(course: &Course<'a>, asked: &[SocketAddr]) -> Option<(&'a Endpoint, Option<Permit>)> {
    let next = course.choose(asked)?;
    let permit = match next.bounds() {
        Some(bounds) => Some(bounds.retry()?),
        None => None,
    };
    course.governed.is_none_or(Governed::may_retry).then_some((next, permit))
}

/// Sends the request to one endpoint.
async fn ask<'e>(
    course: &Course<'_>,
    endpoint: &'e Endpoint,
    request: Request<RequestBody>,
    peer: &Peer,
) -> (&'e Endpoint, Result<Answered, Fault>) {
    let began = Instant::now();
    let until = Until::after(began, course.conduct.timeouts.backend_request, Late::Try);
    let mut trail = Trail { peer, record: None };
    let to = (endpoint, course.version);
    let sending = pin!(send_to(course.worker, to, request, &mut trail).map(Ok));
    let sent = within(until, sending).await;
    course.learn(endpoint, &sent, began);
    let sent = match sent {
        Ok(Ok(answered)) => Ok(Answered { until, ..answered }),
        Ok(Err(failed)) => Err(failed.0),
        Err(fault) => Err(fault),
    };
    (endpoint, sent)
}

/// The same request again.
fn copy_of(request: &Request<RequestBody>) -> Request<RequestBody> {
    let mut copy = Request::new(RequestBody::empty());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    copy
}
