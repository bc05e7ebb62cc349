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

use std::{net::SocketAddr, pin::pin, rc::Rc, time::Duration};

use futures_util::FutureExt;
use http::{Method, Request, Response, request::Parts};
use tokio::time::{Instant, sleep};

use crate::{
    mesh::{
        route::{Conduct, Retry},
        traffic_policy::Hedging,
    },
    proxy::{
        limits::{RETRY_BACKOFF, RETRY_BACKOFF_GROWTH_MAX},
        regime::{Outcome, Permit},
        respond::{Fault, Late},
        view::{Ask, Cluster, Endpoint, Governed},
        worker::Worker,
    },
};

use super::{
    RequestBody,
    body::{AnswerBody, Progress},
    deadline::{Until, within},
    forward::{Answered, Failed, Trail, Version, send_to},
    hedge,
    plan::BY_DEFAULT,
    tape::Tape,
};

mod wishes;

use self::wishes::Wishes;

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
    /// The policy that says it, if one does.
    pub(super) governed: Option<&'a Governed>,
    /// What of the request is hashed, where anything is.
    pub(super) hash: Option<u64>,
    /// How far the client's body has come.
    pub(super) progress: Option<&'a Progress>,
    /// What of the body is kept.
    pub(super) body: Kept,
    /// Whether it is a call of gRPC.
    pub(super) is_grpc: bool,
    /// Whether the request asks to change the protocol, or for a tunnel.
    pub(super) changes: bool,
}

impl<'a> Course<'a> {
    /// For what nobody may repeat: no policy, no session, and a body that is not kept.
    pub(super) fn once(worker: &'a Rc<Worker>, cluster: &'a Cluster, version: Version) -> Self {
        Self {
            worker,
            cluster,
            pinned: None,
            version,
            conduct: &BY_DEFAULT,
            governed: None,
            hash: None,
            progress: None,
            body: Kept::Nothing,
            is_grpc: false,
            changes: false,
        }
    }

    /// The endpoint that takes the next try, other than these.
    pub(super) fn choose(&self, tried: &[SocketAddr]) -> Option<&'a Endpoint> {
        let ask = Ask { tried, hash: self.hash };
        self.cluster.choose_for(&ask, &mut |bound| self.worker.dice(bound))
    }

    /// When another try is wished for, as a policy says it.
    fn wishes(&self) -> Option<Wishes<'a>> {
        self.governed.and_then(|governed| governed.rules().retry.as_ref()).map(Wishes)
    }

    /// How the request is sent to several endpoints, if it is.
    fn hedging(&self, request: &Request<RequestBody>) -> Option<Hedging> {
        let hedging = self.governed?.rules().hedging?;
        let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        let is_alone = !self.changes && self.pinned.is_none();
        (is_safe && is_alone && matches!(self.body, Kept::Empty)).then_some(hedging)
    }

    /// Whether an answer is one that another try may better.
    pub(super) fn is_bad(&self, response: &Response<AnswerBody>) -> bool {
        if let Some(wishes) = self.wishes() {
            return wishes.are_met_by(response);
        }
        let retry = self.conduct.retry.as_ref();
        let listed = retry.is_some_and(|retry| retry.codes.contains(&response.status().as_u16()));
        listed || (self.is_grpc && is_unavailable(response))
    }

    /// Tells the endpoint's health how it answered. What a client broke off says nothing of it.
    pub(super) fn learn(
        &self,
        endpoint: &Endpoint,
        sent: &Result<Result<Answered, Failed>, Fault>,
        began: Instant,
    ) {
        let outcome = match sent {
            Ok(Ok(answered)) => Outcome::of_status(answered.response.status().as_u16()),
            Ok(Err(failed)) if failed.0.is_of_endpoint() => Outcome::FailedAsGateway,
            Err(fault) if fault.is_of_endpoint() => Outcome::FailedAsGateway,
            Ok(Err(_)) | Err(_) => return,
        };
        if !self.progress.is_some_and(Progress::is_broken) {
            endpoint.answered(outcome, began);
        }
    }
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
    let mut tries = Tries { course, tried: Vec::new(), retrying: None };
    let first = course.pinned.or_else(|| course.choose(&[]));
    if let Some(hedging) = course.hedging(&request) {
        let asked = (request, first.ok_or(Fault::NoEndpoint)?);
        // Boxed, because most requests need no room for it.
        return Box::pin(hedge::send(course, hedging, asked, trail)).await;
    }
    let mut endpoint = first.ok_or(Fault::NoEndpoint)?;
    loop {
        let spare = tries.spare(&request);
        let began = Instant::now();
        let until = Until::after(began, course.conduct.timeouts.backend_request, Late::Try);
        let sent = {
            let to = (endpoint, course.version);
            let sending = pin!(send_to(course.worker, to, request, &mut trail).map(Ok));
            within(until, sending).await
        };
        course.learn(endpoint, &sent, began);
        let (failure, unsent) = match sent {
            Ok(Ok(answered)) if !tries.is_worth_another(&answered.response) => {
                if !tries.tried.is_empty() && course.is_bad(&answered.response) {
                    trail.exhausted();
                }
                return Ok(Answered { until, ..answered });
            }
            Ok(Ok(answered)) => (Failure::Answer(Box::new(answered)), None),
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
pub(super) enum Failure {
    /// An answer that is not good enough.
    Answer(Box<Answered>),
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
                Ok(Answered { until, ..*answered })
            }
            Self::Fault(fault) => Err(fault),
        }
    }
}

/// The tries of one request.
struct Tries<'a> {
    course: &'a Course<'a>,
    tried: Vec<SocketAddr>,
    /// Counts it as sent again, where that is counted.
    retrying: Option<Permit>,
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
        !self.course.changes && made < self.attempts()
    }

    /// Whether an answer is not to be passed on, as there are tries left.
    fn is_worth_another(&self, response: &Response<AnswerBody>) -> bool {
        self.is_possible() && self.course.is_bad(response)
    }

    /// Whether another try could be made at all of a request that was sent.
    fn is_possible(&self) -> bool {
        self.are_left() && self.course.body.is_there()
    }

    /// The request and the endpoint of another try, when its time has come; the failure, when this
    /// was the last.
    async fn again(
        &mut self,
        failure: Failure,
        unsent: Option<Request<RequestBody>>,
        spare: Option<Parts>,
    ) -> Result<(Request<RequestBody>, &'a Endpoint), Failure> {
        let retry = self.course.conduct.retry.as_ref();
        let had_answer = matches!(failure, Failure::Answer(_));
        let counts = match self.course.wishes() {
            Some(wishes) => wishes.wants(&failure),
            None => failure.may_be_tried_again(retry.is_some()),
        };
        let there = unsent.is_some() || (spare.is_some() && self.course.body.is_there());
        let same = retry.is_some() || had_answer;
        let is_due = counts && there && self.are_left_after_this() && self.is_permitted();
        // Choosing takes an endpoint's turn, which is not lost where nothing is sent.
        let Some(next) = is_due.then(|| self.next(same)).flatten() else {
            return Err(failure);
        };
        // What still sends the last try hears of the next when that takes the body.
        drop(failure);
        if same {
            sleep(self.pause(retry)).await;
        }
        let again = unsent.or_else(|| {
            let (head, body) = spare.zip(self.course.body.body())?;
            Some(Request::from_parts(head, body))
        });
        again.map(|request| (request, next)).ok_or(Failure::Fault(Fault::UpstreamClosed))
    }

    /// The endpoint of another try. Where there is no other, the same one may do better later, if
    /// `same`.
    fn next(&self, same: bool) -> Option<&'a Endpoint> {
        let other = self.course.choose(&self.tried);
        other.or_else(|| self.course.choose(&[]).filter(|_| same))
    }

    /// Whether circuit breaker and budget have room for another try; if so, it is taken.
    fn is_permitted(&mut self) -> bool {
        // The last one is over.
        self.retrying = None;
        // The endpoints of a cluster have their bounds together.
        let last = self.course.cluster.find(|address| self.tried.last() == Some(&address));
        if let Some(bounds) = last.and_then(Endpoint::bounds) {
            let Some(permit) = bounds.retry() else { return false };
            self.retrying = Some(permit);
        }
        self.course.governed.is_none_or(Governed::may_retry)
    }

    /// The time before the next try.
    fn pause(&self, retry: Option<&Retry>) -> Duration {
        let number = u32::try_from(self.tried.len()).unwrap_or(u32::MAX);
        let mut dice = |bound| self.course.worker.dice(bound);
        match self.course.wishes() {
            Some(wishes) => wishes.pause(number, &mut dice),
            None => backoff(retry, number, &mut dice),
        }
    }

    /// Whether there may be another try, after the last one that was made.
    fn are_left_after_this(&self) -> bool {
        let made = u32::try_from(self.tried.len()).unwrap_or(u32::MAX);
        !self.course.changes && made <= self.attempts()
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
