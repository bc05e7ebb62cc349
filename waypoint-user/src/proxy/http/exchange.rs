//! The life of one request: check, judge, route, forward, answer.
//!
//! **Invariant:** it sees one view of the mesh from start to end.
//! **Invariant:** policies, routes and the endpoint see the same path, in normal form.

use std::{pin::pin, rc::Rc, sync::Arc, time::Duration};

use http::{HeaderMap, Method, Request, Response, StatusCode, header::USER_AGENT, request::Parts};
use tokio::time::Instant;

use crate::{
    mesh::request::Peer,
    policy::{Subject, Verdict},
    proxy::{
        connection::Connection,
        head::HeadRef,
        lease::Lease,
        record::{Record, field_bytes},
        regime::Left,
        respond::{Fault, Late},
        view::{Target, View},
    },
};

use super::{
    RequestBody,
    auth::{self, Asking, Granted},
    body::{AnswerBody, Progress, ResponseBody, Stream},
    check,
    client_body::ClientBody,
    deadline::{Deadline, Until, grpc_timeout},
    fields,
    forward::{Answered, Trail, Version},
    forwarded::FORWARDED_FOR,
    grpc_web::{self, GrpcWeb},
    hashed::hash_of,
    mirror,
    outgoing::{Outgoing, version_for},
    plan::{Plan, Planned, plan},
    reply,
    restraint::{self, hold_back},
    returning, session,
    stay::Stay,
    tape::Tape,
    tries::{Course, send},
    upgrade::Tunnel,
};

/// Answers a request.
pub(super) async fn answer(
    connection: Rc<Connection>,
    request: Request<ClientBody>,
) -> Response<ResponseBody> {
    let (mut parts, body) = request.into_parts();
    let worker = &connection.worker;
    let trace = worker.tracing.begin(&mut parts.headers, || worker.random());
    let view = worker.view();
    let target = connection.target(&view);
    let peer = connection.peer(&view);
    let mut record = Record::new(&connection, peer.clone(), target.as_deref(), trace);
    let progress = Rc::new(Progress::default());
    record.received = Rc::clone(&progress.bytes);
    let began = Instant::now();
    let mut exchange =
        Exchange { connection, view, peer, record, progress, began, left: None, translates: None };
    match exchange.run(parts, body, target).await {
        Ok(Outcome::Reply(response)) => reply::direct(exchange.record, response),
        Ok(Outcome::Answer(answer)) => exchange.respond(*answer),
        Err(fault) => reply::refuse(exchange.record, fault),
    }
}

/// A request that is under way.
struct Exchange {
    connection: Rc<Connection>,
    view: Rc<View>,
    peer: Peer,
    record: Record,
    progress: Rc<Progress>,
    began: Instant,
    /// The gRPC-Web that is translated, if any is.
    translates: Option<GrpcWeb>,
    /// What the answer is to say of limits.
    left: Option<Left>,
}

/// What a request came to.
enum Outcome {
    /// The answer of a rule.
    Reply(Response<ResponseBody>),
    /// An endpoint's answer.
    Answer(Box<Answer>),
}

/// An endpoint's answer, edited.
struct Answer {
    answered: Answered,
    lease: Rc<Lease>,
}

impl Exchange {
    /// Brings the request to an endpoint, and the head of the response back.
    async fn run(
        &mut self,
        mut parts: Parts,
        mut body: ClientBody,
        target: Option<Rc<Target>>,
    ) -> Result<Outcome, Fault> {
        fields::remove_forged(&mut parts.headers);
        if parts.version == http::Version::HTTP_2 {
            fields::join_cookies(&mut parts.headers);
        }
        let authority = check::authority(&parts);
        self.describe(&parts, authority.as_deref().ok());
        let authority = authority?;
        check::request(&parts, !body.is_end_stream())?;
        self.record.admitted = Some(self.connection.worker.overload.admit()?);
        let target = target.ok_or(Fault::UnknownDestination)?;
        let head = HeadRef::of(&parts, &authority);
        self.judge(&head, &target)?;
        let lease = Lease::new(self.peer.clone(), self.connection.local, Some(head.to_owned()));
        let lease = self.connection.worker.leases.grant(lease);
        let worker = Rc::clone(&self.connection.worker);
        let dialled = self.connection.local;
        let mut planned =
            plan(&head, &target, (&self.view, &self.peer, dialled), &mut |n| worker.dice(n))?;
        self.record.note(|entry| entry.route_name = Some(planned.route_name()));
        let by_client = grpc_timeout(&parts.headers).filter(|_| self.record.is_grpc);
        let until = planned.terms().and_then(|terms| terms.until(self.began, by_client));
        let mut stay = Stay { until, idle: None, lease: &lease };
        let granted = match self.ask(&planned, &head, &mut body, &mut stay).await? {
            Ok(granted) => granted,
            Err(refusal) => return Ok(Outcome::Reply(refusal)),
        };
        let plan = match planned {
            Planned::Reply { response, .. } => return Ok(Outcome::Reply(response)),
            Planned::Nowhere { reason, .. } => return Err(Fault::NoBackend(reason)),
            // Where it is, as a plan that is moved has its room twice.
            Planned::Forward(ref mut plan) => plan,
        };
        if let Some(governed) = &plan.terms.governed {
            // Boxed, because most requests need no room for it.
            let asks = (&head, &self.peer);
            self.left = Box::pin(hold_back(governed, asks, &worker, &mut self.record)).await?;
        }
        plan.cluster = self.view.settled(Rc::clone(&plan.cluster), dialled).await;
        plan.hash = hash_of(plan.cluster.hash_keys(), &head, &self.peer);
        let path_and_query = head.path_and_query();
        granted.change(&mut parts.headers);
        let version = version_for(&parts, plan.cluster.protocol);
        let body = self.translate(&mut parts.headers, body, version);
        let (body, tape) = self.body(body, plan);
        let outgoing = Outgoing { parts, body, authority, path_and_query, tape };
        let answered = self.forward((outgoing, version), plan, &mut stay).await?;
        Ok(Outcome::Answer(Box::new(Answer { answered, lease })))
    }

    /// Whether the policies let the request pass.
    fn judge(&self, head: &HeadRef<'_>, target: &Target) -> Result<(), Fault> {
        let destination = self.connection.local;
        let subject = Subject { peer: &self.peer, destination, head: Some(head) };
        match target.policies.judge(&subject) {
            Verdict::Allow => Ok(()),
            Verdict::Deny { rule } => Err(Fault::Denied(rule)),
        }
    }

    /// Asks whoever must be asked whether the request may pass: how it is changed, or what the
    /// client is told.
    async fn ask(
        &mut self,
        planned: &Planned<'_>,
        head: &HeadRef<'_>,
        body: &mut ClientBody,
        stay: &mut Stay<'_>,
    ) -> Result<Result<Granted, Response<ResponseBody>>, Fault> {
        let (Some(guard), Some(terms)) = (planned.guard(), planned.terms()) else {
            return Ok(Ok(Granted::default()));
        };
        let (worker, dialled) = (&self.connection.worker, self.connection.local);
        let (peer, progress) = (&self.peer, &self.progress);
        let asking = Asking { worker, peer, dialled, head, progress };
        stay.idle = terms.idle(progress);
        // In a box, as few requests need it.
        let verdict = Box::pin(async { stay.during(pin!(guard.ask(&asking, body))).await });
        match verdict.await? {
            auth::Verdict::Pass(granted) => Ok(Ok(granted)),
            // Who calls by gRPC does not look at another answer.
            auth::Verdict::Refuse(_) if self.record.is_grpc => Err(Fault::Forbidden),
            auth::Verdict::Refuse(response) => {
                self.record.flag = AUTH_FLAG;
                Ok(Err(response))
            }
        }
    }

    /// Translates gRPC-Web for an endpoint that is spoken to by HTTP/2. gRPC is not spoken by
    /// anything older, so what is may understand gRPC-Web itself.
    fn translate(
        &mut self,
        headers: &mut HeaderMap,
        body: ClientBody,
        version: Version,
    ) -> ClientBody {
        self.translates = self.record.grpc_web.filter(|_| version == Version::Http2);
        let Some(web) = self.translates else { return body };
        GrpcWeb::translate_request(headers);
        if web.asks_in_text() {
            ClientBody::Text(Box::new(grpc_web::Text::new(body)))
        } else {
            body
        }
    }

    /// The body of the request; where it is needed more than once, by way of what is kept.
    fn body(&self, body: ClientBody, plan: &Plan<'_>) -> (RequestBody, Option<Rc<Tape>>) {
        let retry = plan.terms.conduct().retry.as_ref();
        let tried_again = retry.is_some_and(|retry| retry.attempts > 0);
        let keeps = tried_again || (retry.is_none() && self.record.is_grpc);
        let progress = Rc::clone(&self.progress);
        if body.is_end_stream() || (!keeps && plan.mirrors.is_empty()) {
            return (RequestBody::new(body, progress), None);
        }
        let tape = Tape::new(body, progress, keeps);
        let first = tape.play().map_or_else(RequestBody::empty, RequestBody::of);
        (first, Some(tape))
    }

    /// Sends the request on and waits for the head of the response.
    async fn forward(
        &mut self,
        (outgoing, version): (Outgoing, Version),
        plan: &Plan<'_>,
        stay: &mut Stay<'_>,
    ) -> Result<Answered, Fault> {
        let worker = Rc::clone(&self.connection.worker);
        let upgrade = outgoing.upgrade();
        let is_connect = upgrade.is_some() && outgoing.parts.version == http::Version::HTTP_2;
        let method = outgoing.parts.method.clone();
        let progress = Rc::clone(&self.progress);
        let course = Course {
            worker: &worker,
            cluster: &plan.cluster,
            pinned: plan.pinned(),
            version,
            conduct: plan.terms.conduct(),
            governed: plan.terms.governed.as_deref(),
            hash: plan.hash,
            progress: Some(&progress),
            body: outgoing.kept(),
            is_grpc: self.record.is_grpc,
            changes: upgrade.is_some() || method == Method::CONNECT,
        };
        let request = self.build(outgoing, version, plan);
        let began = Instant::now();
        stay.idle = plan.terms.idle(&progress);
        let trail = Trail { peer: &self.peer, record: Some(&mut self.record) };
        // Who was denied meanwhile sends nothing.
        let answered = stay.during(pin!(send(&course, request, trail))).await;
        let mut answered = answered.map_err(|fault| self.progress.blame(fault))?;
        answered.until = Until::first(stay.until, answered.until);
        answered.idle = stay.idle.take();
        let service_time = began.elapsed();
        self.record.note(|entry| entry.upstream_service_time = Some(service_time));
        let status = answered.response.status();
        let changes = status == StatusCode::SWITCHING_PROTOCOLS;
        // A success would grant an extended CONNECT.
        if (changes && upgrade.is_none()) || (is_connect && status.is_success()) {
            return Err(Fault::UpstreamProtocol);
        }
        self.edit(&mut answered, plan, (&method, service_time));
        Ok(answered)
    }

    /// Edits the head of the response, and tells in it what is ours to tell.
    fn edit(
        &mut self,
        answered: &mut Answered,
        plan: &Plan<'_>,
        (method, service_time): (&Method, Duration),
    ) {
        let response = &mut answered.response;
        let is_unmodified = response.status() == StatusCode::NOT_MODIFIED;
        let keeps_length = method == Method::HEAD || is_unmodified;
        self.translates =
            self.translates.filter(|web| web.translate_response(response.headers_mut()));
        returning::edit(response, &plan.edits, keeps_length, service_time);
        if let Some(left) = &self.left {
            restraint::tell(left, answered.response.headers_mut());
        }
        if let Some(sessions) = &plan.sessions {
            sessions.tell(answered.response.headers_mut(), answered.endpoint, session::now());
        }
    }

    /// Makes the request that leaves, and copies of it for mirrors.
    fn build(
        &mut self,
        outgoing: Outgoing,
        version: Version,
        plan: &Plan<'_>,
    ) -> Request<RequestBody> {
        let worker = &self.connection.worker;
        let (identity, by) = (self.peer.identity.as_ref(), worker.settings.identity.as_deref());
        let forwarded = &self.connection.forwarded;
        // Copies are known by the same name.
        let random = worker.random();
        let learn = |headers: &mut HeaderMap| {
            forwarded.add_to(headers, identity, by);
            fields::identify(headers, || random);
        };
        if outgoing.upgrade().is_none() && outgoing.parts.method != Method::CONNECT {
            let asks = (worker, &self.peer);
            mirror::send_copies(asks, &plan.mirrors, &outgoing, &plan.edits, &learn);
        }
        let request = outgoing.build(version, &plan.edits, learn);
        self.describe_sent(&request, plan);
        request
    }

    /// Makes the response of an endpoint's answer.
    fn respond(mut self, answer: Answer) -> Response<ResponseBody> {
        let Answer { answered, lease } = answer;
        let Answered { response, carrier, until, idle, .. } = answered;
        self.record.status = response.status().as_u16();
        self.record.note(|entry| entry.response_code_details = Some("via_upstream".into()));
        self.record.head_bytes.1 = field_bytes(response.headers());
        if self.record.is_grpc {
            self.record.see_grpc_status(response.headers());
        }
        if matches!(response.body(), AnswerBody::Nothing) {
            let ends = until.filter(|until| until.late == Late::Stream);
            let (upstream, record, deadline) = (carrier, self.record, ends.map(Deadline::new));
            let tunnel = Tunnel { upstream, record, lease, deadline, idle };
            return response.map(|_| ResponseBody::Tunnel(Box::new(tunnel)));
        }
        let Self { connection, progress, record, translates, .. } = self;
        let open = Some((record, carrier));
        let rest = |late| if late == Late::Stream { late } else { Late::Rest };
        let deadline = until.map(|until| Deadline::new(Until { late: rest(until.late), ..until }));
        response.map(|body| {
            let stream =
                Stream { body, connection, progress, lease, deadline, idle, translates, open };
            stream.into_body()
        })
    }

    /// Notes what the client sent.
    fn describe(&mut self, parts: &Parts, authority: Option<&str>) {
        let headers = &parts.headers;
        self.record.head_bytes.0 = field_bytes(headers);
        let content_type = headers.get(http::header::CONTENT_TYPE);
        let is_grpc = |value: &http::HeaderValue| value.as_bytes().starts_with(GRPC);
        let connects = parts.method == Method::CONNECT;
        self.record.is_grpc = !connects && content_type.is_some_and(is_grpc);
        self.record.grpc_web = GrpcWeb::of(headers).filter(|_| self.record.is_grpc);
        self.record.is_http2 = parts.version == http::Version::HTTP_2;
        self.record.note(|entry| {
            entry.method = Some(parts.method.clone());
            entry.path = parts.uri.path_and_query().cloned();
            entry.protocol = Some(protocol(parts.version));
            entry.authority = authority.map(str::to_owned);
            entry.user_agent = headers.get(&USER_AGENT).cloned();
            entry.request_id = headers.get(&fields::REQUEST_ID).cloned();
            entry.x_forwarded_for = headers.get(&FORWARDED_FOR).cloned();
        });
    }

    /// Notes what is sent on.
    fn describe_sent(&mut self, request: &Request<RequestBody>, plan: &Plan<'_>) {
        self.record.labels = Rc::clone(&plan.cluster.labels);
        let headers = request.headers();
        self.record.note(|entry| {
            entry.upstream_cluster = Some(Arc::clone(&plan.cluster.log_name));
            entry.request_id = headers.get(&fields::REQUEST_ID).cloned();
            entry.x_forwarded_for = headers.get(&FORWARDED_FOR).cloned();
        });
    }
}

/// A version as the access log shows it.
pub(super) fn protocol(version: http::Version) -> &'static str {
    match version {
        http::Version::HTTP_10 => "HTTP/1.0",
        http::Version::HTTP_2 => "HTTP/2",
        _ => "HTTP/1.1",
    }
}

/// The response flag of what an external authority refused.
const AUTH_FLAG: &str = "UAEX";

/// How the content types of gRPC begin.
const GRPC: &[u8] = b"application/grpc";
