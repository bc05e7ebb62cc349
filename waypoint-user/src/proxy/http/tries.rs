//! Tries one endpoint after another until one answers as it should, or there are no tries left.
//!
//! What a route says of it is its [`Retry`]. Without one, a request is tried again only where no
//! endpoint can have processed it: connecting failed, or it was refused unseen; and a call of gRPC
//! that ended as `UNAVAILABLE` or `CANCELLED` before it began. This is Istio's default.
//!
//! Whatever else comes to speak of tries (budgets, circuit breakers, hedging) decides in
//! [`Tries::again`], which gets every failure once and before anything is sent again.
//!
//! **Invariant:** a request whose body was sent in part, and is not kept, is never sent again.
//! **Invariant:** a change of protocol is tried once.

use std::{net::SocketAddr, rc::Rc, time::Duration};

use http::{Request, Response, request::Parts};
use tokio::time::{Instant, sleep};

use crate::{
    mesh::route::{Conduct, Retry},
    proxy::{
        limits::{RETRY_BACKOFF, RETRY_BACKOFF_GROWTH_MAX},
        respond::{Fault, Late},
        view::{Cluster, Endpoint},
        worker::Worker,
    },
};

use super::{
    RequestBody,
    body::AnswerBody,
    deadline::{Until, within},
    forward::{Answered, Trail, Version, send_to},
    tape::Tape,
};

/// What is tried.
pub(super) struct Course<'a> {
    pub(super) worker: &'a Rc<Worker>,
    /// The endpoints.
    pub(super) cluster: &'a Cluster,
    /// The endpoint of the session that the request belongs to.
    pub(super) pinned: Option<&'a Endpoint>,
    pub(super) version: Version,
    /// What the route says.
    pub(super) conduct: &'a Conduct,
    /// What of the body is kept.
    pub(super) body: Kept,
    /// Whether it is a call of gRPC.
    pub(super) is_grpc: bool,
    /// Whether the request asks to change the protocol.
    pub(super) upgrades: bool,
}

/// What of a body there is for another try.
#[derive(Clone)]
pub(super) enum Kept {
    /// There is no body.
    Empty,
    /// What was read of it.
    Tape(Rc<Tape>),
    /// Nothing.
    Nothing,
}

impl Kept {
    fn is_there(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Tape(tape) => tape.is_whole(),
            Self::Nothing => false,
        }
    }

    fn body(&self) -> Option<RequestBody> {
        match self {
            Self::Empty => Some(RequestBody::empty()),
            Self::Tape(tape) => tape.play().map(RequestBody::of),
            Self::Nothing => None,
        }
    }
}

/// Sends a request until it is answered.
pub(super) async fn send(
    course: &Course<'_>,
    mut request: Request<RequestBody>,
    mut trail: Trail<'_>,
) -> Result<Answered, Fault> {
    let mut tries = Tries { course, tried: Vec::new() };
    let mut dice = |bound| course.worker.dice(bound);
    let first = course.pinned.or_else(|| course.cluster.choose(&[], &mut dice));
    let mut endpoint = first.ok_or(Fault::NoEndpoint)?;
    loop {
        let spare = tries.spare(&request);
        let until =
            Until::after(Instant::now(), course.conduct.timeouts.backend_request, Late::Try);
        let sending = async {
            let sent = send_to(course.worker, endpoint, course.version, request, &mut trail).await;
            Ok(sent)
        };
        let (failure, unsent) = match within(until, sending).await {
            Ok(Ok(answered)) if !tries.is_worth_another(&answered.response) => {
                if !tries.tried.is_empty() && tries.is_listed(&answered.response) {
                    trail.exhausted();
                }
                return Ok(Answered { until, ..answered });
            }
            Ok(Ok(answered)) => (Failure::Answer(answered), None),
            Ok(Err(failed)) => (Failure::Fault(failed.0), failed.1),
            Err(fault) => (Failure::Fault(fault), None),
        };
        tries.tried.push(endpoint.address);
        match tries.again(failure, unsent, spare).await {
            Ok((again, next)) => (request, endpoint) = (again, next),
            Err(failure) => return failure.last(until, trail),
        }
    }
}

/// Why another try is thought of.
enum Failure {
    /// An answer that is not good enough.
    Answer(Answered),
    /// No answer.
    Fault(Fault),
}

impl Failure {
    /// Whether it is one after which a request is tried again: always where no endpoint looked at
    /// it, and where a route says so what broke or took too long.
    fn may_be_tried_again(&self, by_route: bool) -> bool {
        match self {
            Self::Answer(_) => true,
            Self::Fault(fault) if fault.row().may_retry => true,
            Self::Fault(Fault::UpstreamClosed | Fault::TooLate(Late::Try)) => by_route,
            Self::Fault(_) => false,
        }
    }

    /// What the client is told when there are no tries left.
    fn last(self, until: Option<Until>, mut trail: Trail<'_>) -> Result<Answered, Fault> {
        match self {
            Self::Answer(answered) => {
                trail.exhausted();
                Ok(Answered { until, ..answered })
            }
            Self::Fault(fault) => Err(fault),
        }
    }
}

/// The tries of one request.
struct Tries<'a> {
    course: &'a Course<'a>,
    tried: Vec<SocketAddr>,
}

impl<'a> Tries<'a> {
    /// What the head of another try would be, where one may be needed after the first was sent.
    fn spare(&self, request: &Request<RequestBody>) -> Option<Parts> {
        let may_be = self.course.conduct.retry.is_some() || self.course.is_grpc;
        (may_be && self.are_left()).then(|| {
            let mut head = Request::new(());
            *head.method_mut() = request.method().clone();
            *head.uri_mut() = request.uri().clone();
            *head.version_mut() = request.version();
            *head.headers_mut() = request.headers().clone();
            head.into_parts().0
        })
    }

    /// Whether there may be another try after the one that is under way.
    fn are_left(&self) -> bool {
        let made = u32::try_from(self.tried.len()).unwrap_or(u32::MAX);
        !self.course.upgrades && made < self.attempts()
    }

    /// Whether an answer is not to be passed on, as there are tries left.
    fn is_worth_another(&self, response: &Response<AnswerBody>) -> bool {
        self.is_possible() && self.is_listed(response)
    }

    /// Whether an answer is one after which a request is tried again.
    fn is_listed(&self, response: &Response<AnswerBody>) -> bool {
        let retry = self.course.conduct.retry.as_ref();
        let by_route = retry.is_some_and(|one| one.codes.contains(&response.status().as_u16()));
        by_route || (self.course.is_grpc && is_unavailable(response))
    }

    /// Whether another try could be made at all of a request that was sent.
    fn is_possible(&self) -> bool {
        self.are_left() && self.course.body.is_there()
    }

    /// The request and the endpoint of another try, when its time has come; the failure, when this
    /// was the last.
    async fn again(
        &self,
        failure: Failure,
        unsent: Option<Request<RequestBody>>,
        spare: Option<Parts>,
    ) -> Result<(Request<RequestBody>, &'a Endpoint), Failure> {
        let retry = self.course.conduct.retry.as_ref();
        let had_answer = matches!(failure, Failure::Answer(_));
        let counts = failure.may_be_tried_again(retry.is_some());
        let there = unsent.is_some() || (spare.is_some() && self.course.body.is_there());
        let same = retry.is_some() || had_answer;
        let Some(next) = self.next(same).filter(|_| counts && there && self.are_left_after_this())
        else {
            return Err(failure);
        };
        // What still sends the last try must read no more of the body.
        drop(failure);
        if same {
            let number = u32::try_from(self.tried.len()).unwrap_or(u32::MAX);
            sleep(backoff(retry, number, &mut |bound| self.course.worker.dice(bound))).await;
        }
        let again = spare.zip(self.course.body.body());
        let again = unsent.or_else(|| again.map(|(head, body)| Request::from_parts(head, body)));
        again.map(|request| (request, next)).ok_or(Failure::Fault(Fault::UpstreamClosed))
    }

    /// The endpoint of another try. Where there is no other, the same one may do better later, if
    /// `same`.
    fn next(&self, same: bool) -> Option<&'a Endpoint> {
        let cluster = self.course.cluster;
        let mut dice = |bound| self.course.worker.dice(bound);
        let other = cluster.choose(&self.tried, &mut dice);
        other.or_else(|| cluster.choose(&[], &mut dice).filter(|_| same))
    }

    /// Whether there may be another try, after the last one that was made.
    fn are_left_after_this(&self) -> bool {
        let made = u32::try_from(self.tried.len()).unwrap_or(u32::MAX);
        !self.course.upgrades && made <= self.attempts()
    }

    /// How often the request may be tried again.
    fn attempts(&self) -> u32 {
        let retry = self.course.conduct.retry.as_ref();
        retry.map_or(Retry::ATTEMPTS_DEFAULT, |retry| retry.attempts)
    }
}

/// The time before a try: at least what the route says, and more by chance with every try.
fn backoff(retry: Option<&Retry>, number: u32, dice: &mut dyn FnMut(u32) -> u32) -> Duration {
    let least = retry.and_then(|retry| retry.backoff);
    let base = least.unwrap_or(RETRY_BACKOFF);
    let growth = 1_u32.checked_shl(number).unwrap_or(u32::MAX).min(RETRY_BACKOFF_GROWTH_MAX);
    let least = least.unwrap_or_default();
    let room = base.saturating_mul(growth).saturating_sub(least);
    let room = u32::try_from(room.as_millis()).unwrap_or(u32::MAX);
    least + Duration::from_millis(dice(room.saturating_add(1)).into())
}

/// Whether a call of gRPC ended before it began, in a way that says so of the server and not of the
/// call.
fn is_unavailable(response: &Response<AnswerBody>) -> bool {
    let status = response.headers().get("grpc-status").map(http::HeaderValue::as_bytes);
    response.body().is_end_stream() && matches!(status, Some(GRPC_CANCELLED | GRPC_UNAVAILABLE))
}

const GRPC_CANCELLED: &[u8] = b"1";
const GRPC_UNAVAILABLE: &[u8] = b"14";

#[cfg(test)]
mod tests;
