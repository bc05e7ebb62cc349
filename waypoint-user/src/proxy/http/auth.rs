//! Asks somebody else whether a request may pass (Gateway API `HTTPExternalAuthFilter`).
//!
//! Who lets it pass may add fields to it; every other answer is the client's. Where the route says
//! so, whoever is asked is shown the body, which goes on when all of it was read.
//!
//! **Invariant:** without an answer in time nothing passes.

use std::{future::poll_fn, net::SocketAddr, pin::pin, rc::Rc};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, Response};
use tokio::time::Instant;

use crate::{
    mesh::{
        request::Peer,
        route::{AuthProtocol, ExternalAuth},
    },
    proxy::{
        head::HeadRef,
        limits::{AUTH_ANSWER_BYTES_MAX, AUTH_TIMEOUT},
        respond::{Fault, Late},
        view::Cluster,
        worker::Worker,
    },
    route::Edits,
};

use super::{
    RequestBody,
    body::{AnswerBody, Progress, ResponseBody},
    client_body::ClientBody,
    deadline::{Until, within},
    forward::{Trail, Version},
    outgoing::Outgoing,
    tries::{Course, send},
};

mod grpc;
mod http_call;
mod messages;
mod shown;

pub(in crate::proxy) use self::shown::Shown;

/// Who is asked, and where.
pub(super) struct Guard<'t> {
    pub(super) auth: &'t ExternalAuth,
    /// The endpoints; `None` where there are none any more.
    pub(super) cluster: Option<Rc<Cluster>>,
}

/// Who wants to pass, and where to.
pub(super) struct Asking<'a> {
    pub(super) worker: &'a Rc<Worker>,
    pub(super) peer: &'a Peer,
    pub(super) dialled: SocketAddr,
    pub(super) head: &'a HeadRef<'a>,
    pub(super) progress: &'a Rc<Progress>,
}

/// What they said.
pub(super) enum Verdict {
    /// The request may pass, changed so.
    Pass(Granted),
    /// It may not, and the client is told so.
    Refuse(Response<ResponseBody>),
}

/// How a request is changed that may pass.
#[derive(Debug, Default)]
pub(super) struct Granted {
    /// Fields that it gets, instead of its own of these names.
    set: HeaderMap,
    /// Fields that it loses.
    removed: Vec<HeaderName>,
}

impl Granted {
    /// Changes the fields of a request.
    pub(super) fn change(self, headers: &mut HeaderMap) {
        for name in &self.removed {
            headers.remove(name);
        }
        for name in self.set.keys() {
            headers.remove(name);
        }
        for (name, value) in &self.set {
            headers.append(name, value.clone());
        }
    }
}

/// A whole answer.
struct Answer {
    head: http::response::Parts,
    body: Bytes,
    trailers: Option<HeaderMap>,
}

impl Guard<'_> {
    /// Asks whether a request may pass. A body that is shown is read, and what was read put in its
    /// place.
    pub(super) async fn ask(
        &self,
        asking: &Asking<'_>,
        body: &mut ClientBody,
    ) -> Result<Verdict, Fault> {
        // Nobody waits for a body that nobody can be shown.
        let cluster = self.cluster.as_deref().ok_or(Fault::Unasked)?;
        let shown = if self.auth.shows > 0 && !body.is_end_stream() {
            let (overload, progress) = (&asking.worker.overload, asking.progress);
            Some(shown::show(body, self.auth.shows, overload, progress).await?)
        } else {
            None
        };
        self.ask_showing(asking, cluster, shown).await
    }

    async fn ask_showing(
        &self,
        asking: &Asking<'_>,
        cluster: &Cluster,
        shown: Option<Bytes>,
    ) -> Result<Verdict, Fault> {
        let by_grpc = self.auth.by == AuthProtocol::Grpc;
        // Counts as held until there is an answer.
        let mut held = asking.worker.overload.hold();
        let question = match &self.auth.by {
            AuthProtocol::Http { path, .. } => {
                http_call::question(self.auth, path, asking.head, shown).ok_or(Fault::Unasked)?
            }
            AuthProtocol::Grpc => grpc::question(self.auth, asking, shown, &mut held)?,
        };
        let version = if by_grpc { Version::Http2 } else { question.version_for(cluster.protocol) };
        let answered = self.answer(asking, (cluster, version), question).await;
        let answer = answered.map_err(|fault| match fault {
            Fault::Forbidden => fault,
            _ => Fault::Unasked,
        })?;
        match &self.auth.by {
            AuthProtocol::Http { gets, .. } => Ok(http_call::verdict(answer, gets)),
            AuthProtocol::Grpc => grpc::verdict(&answer).ok_or(Fault::Unasked),
        }
    }

    async fn answer(
        &self,
        asking: &Asking<'_>,
        (cluster, version): (&Cluster, Version),
        question: Outgoing,
    ) -> Result<Answer, Fault> {
        let course = Course::once(asking.worker, cluster, version);
        let request = question.build(version, &Edits::default(), |_| {});
        let until = Until::after(Instant::now(), Some(AUTH_TIMEOUT), Late::Request);
        let answering = pin!(async {
            let answered =
                send(&course, request, Trail { peer: asking.peer, record: None }).await?;
            let (head, body) = answered.response.into_parts();
            let (body, trailers) = read(body).await?;
            answered.carrier.keep(asking.worker);
            Ok(Answer { head, body, trailers })
        });
        within(until, answering).await
    }
}

/// Reads a whole body that is not too long, and what comes after it.
async fn read(mut body: AnswerBody) -> Result<(Bytes, Option<HeaderMap>), Fault> {
    let (mut all, mut trailers) = (BytesMut::new(), None);
    while !body.is_end_stream() {
        let frame = match poll_fn(|cx| body.poll_frame(cx)).await {
            Some(Ok(frame)) => frame,
            Some(Err(_)) => return Err(Fault::Unasked),
            None => break,
        };
        match frame.into_data() {
            Ok(bytes) => all.extend_from_slice(&bytes),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
        if all.len() > AUTH_ANSWER_BYTES_MAX {
            return Err(Fault::Forbidden);
        }
    }
    Ok((all.freeze(), trailers))
}

/// A question whose target is in its head.
fn outgoing(head: http::request::Parts, body: RequestBody, authority: &str) -> Outgoing {
    let authority = authority.to_owned();
    Outgoing { parts: head, body, authority, path_and_query: None, tape: None }
}

/// The field that says whether only a part of the body is shown, as Envoy's authorities know it.
const PARTIAL_BODY: HeaderName = HeaderName::from_static("x-envoy-auth-partial-body");
