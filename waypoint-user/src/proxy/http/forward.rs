//! Sends a request to one endpoint and waits for the head of the response.
//!
//! Where a kept connection had died, the request is sent again over another, if nothing of it can
//! have been processed. Every other try is `tries`'s.
//!
//! **Invariant:** a request whose body was begun is not sent again here.

use std::{net::SocketAddr, rc::Rc};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, request::Parts};

use crate::{
    http2::Pipe,
    mesh::request::Peer,
    proxy::{
        record::Record,
        regime::Permit,
        respond::Fault,
        stream,
        upstream::{Http1, Http2Body, Stream, Unanswered},
        view::{Bounds, Endpoint, InFlight, Turn},
        way::Way,
        worker::Worker,
    },
};

use super::{
    RequestBody, body::AnswerBody, connect, deadline::Until, extended_connect::Change, idle::Idle,
};

/// What an endpoint is spoken to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Version {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// The head of a response, and what it came by.
pub(super) struct Answered {
    pub(super) response: Response<AnswerBody>,
    pub(super) carrier: Carrier,
    /// The endpoint that answered.
    pub(super) endpoint: SocketAddr,
    /// When the rest of it must have come, if ever.
    pub(super) until: Option<Until>,
    /// What ends it when nothing moves, if anything does.
    pub(super) idle: Option<Idle>,
}

/// A connection to an endpoint that is in use; dropping it closes it, or its stream.
pub(super) struct Carrier {
    by: By,
    _in_flight: InFlight,
    _permit: Option<Permit>,
}

/// The connection, or the stream that counts as long as it is held.
enum By {
    Http1(Http1),
    Http2 { stream: Stream, changed: Option<Box<Pipe>> },
}

/// What changed its protocol.
pub(super) enum Changed {
    /// A connection, with what came on it already.
    Connection(stream::Stream, Bytes),
    /// A stream of one.
    Stream(Box<Pipe>),
}

impl Carrier {
    /// Keeps the connection for other requests; request and response have ended.
    pub(super) fn keep(self, worker: &Worker) {
        if let By::Http1(connection) = self.by {
            worker.pool.keep(connection, &worker.limits);
        }
    }

    /// Our address on it.
    pub(super) fn local(&self) -> Option<SocketAddr> {
        match &self.by {
            By::Http1(connection) => connection.local,
            By::Http2 { stream, .. } => stream.connection().local,
        }
    }

    /// What changed its protocol.
    pub(super) fn take_stream(&mut self) -> Option<Changed> {
        match &mut self.by {
            By::Http1(connection) => {
                connection.take_stream().map(|(stream, ahead)| Changed::Connection(stream, ahead))
            }
            By::Http2 { changed, .. } => changed.take().map(Changed::Stream),
        }
    }
}

/// A fault, and the request if nothing of it was sent.
pub(super) type Failed = Box<(Fault, Option<Request<RequestBody>>)>;

/// Sends a request to an endpoint.
pub(super) async fn send_to(
    worker: &Rc<Worker>,
    (endpoint, version): (&Endpoint, Version),
    request: Request<RequestBody>,
    trail: &mut Trail<'_>,
) -> Result<Answered, Failed> {
    trail.follow(endpoint);
    let permit = match endpoint.bounds().map(Bounds::request).transpose() {
        Ok(permit) => permit,
        Err(fault) => return Err(Box::new((fault, Some(request)))),
    };
    let in_flight = endpoint.begin();
    let way = worker.way(endpoint, trail.peer);
    let connects = *request.method() == Method::CONNECT;
    let (response, by) = match version {
        Version::Http1 => send_http1(worker, (endpoint, &way), request, trail).await?,
        Version::Http2 if connects => {
            Box::pin(send_connect(worker, (endpoint, &way), request, trail)).await?
        }
        Version::Http2 if Change::is_asked_by(&request) => {
            Box::pin(send_change(worker, (endpoint, &way), request, trail)).await?
        }
        Version::Http2 => send_http2(worker, (endpoint, &way), request, trail).await?,
    };
    let response = match response.status() {
        StatusCode::SWITCHING_PROTOCOLS => response.map(|_| AnswerBody::Nothing),
        _ if connects => connect::answered(response),
        _ => response,
    };
    let carrier = Carrier { by, _in_flight: in_flight, _permit: permit };
    Ok(Answered { response, carrier, endpoint: endpoint.address, until: None, idle: None })
}

/// For whom a request is sent, and where it is told how far it came.
pub(super) struct Trail<'a> {
    /// Who asks.
    pub(super) peer: &'a Peer,
    /// What is told of the request, if anything is.
    pub(super) record: Option<&'a mut Record>,
}

impl Trail<'_> {
    pub(super) fn follow(&mut self, endpoint: &Endpoint) {
        if let Some(record) = &mut self.record {
            record.workload.clone_from(&endpoint.workload);
            record.note(|entry| entry.upstream_host = Some(endpoint.address));
        }
    }

    /// Notes that the response is one that was to be tried again, had there been tries left.
    pub(super) fn exhausted(&mut self) {
        if let Some(record) = &mut self.record {
            record.flag = RETRIES_EXHAUSTED;
        }
    }

    /// Notes our address on the connection.
    pub(super) fn came_by(&mut self, local: Option<SocketAddr>) {
        if let Some(record) = &mut self.record {
            record.note(|entry| entry.upstream_local_address = local);
        }
    }
}

/// Sends a request by HTTP/1, over a kept connection if there is one, else or again over a new one.
async fn send_http1(
    worker: &Rc<Worker>,
    (endpoint, way): (&Endpoint, &Way),
    request: Request<RequestBody>,
    trail: &mut Trail<'_>,
) -> Result<(Response<AnswerBody>, By), Failed> {
    let (head, mut body) = request.into_parts();
    if let Some(mut connection) = worker.pool.idle(way) {
        trail.came_by(connection.local);
        match connection.send(&head, body).await {
            Ok(response) => return Ok((response.map(AnswerBody::Http1), By::Http1(connection))),
            Err(Unanswered { fault, unsent }) => {
                body = unsent.ok_or_else(|| Box::new((fault, None)))?;
            }
        }
    }
    let mut connection = match http1(worker, endpoint, way).await {
        Ok(connection) => connection,
        Err(fault) => return Err(Box::new((fault, Some(Request::from_parts(head, body))))),
    };
    trail.came_by(connection.local);
    match connection.send(&head, body).await {
        Ok(response) => Ok((response.map(AnswerBody::Http1), By::Http1(connection))),
        Err(unanswered) => Err(Box::new((unanswered.fault, None))),
    }
}

/// Sends a request by HTTP/2, over a shared connection if there is one, else or again over a new
/// one.
async fn send_http2(
    worker: &Rc<Worker>,
    (endpoint, way): (&Endpoint, &Way),
    request: Request<RequestBody>,
    trail: &mut Trail<'_>,
) -> Result<(Response<AnswerBody>, By), Failed> {
    let (mut head, mut body) = request.into_parts();
    if let Some(stream) = worker.pool.stream(way) {
        trail.came_by(stream.connection().local);
        match stream.send(&mut head, body).await {
            Ok(response) => return Ok(came(response, stream)),
            // It was on its way when the endpoint wanted no more on this connection.
            Err(Unanswered { unsent: Some(unsent), .. }) if !stream.connection().is_open() => {
                body = unsent;
            }
            Err(unanswered) => return Err(failed(head, unanswered)),
        }
    }
    let stream = match Box::pin(http2(worker, endpoint, way)).await {
        Ok(stream) => stream,
        Err(fault) => return Err(Box::new((fault, Some(Request::from_parts(head, body))))),
    };
    trail.came_by(stream.connection().local);
    match stream.send(&mut head, body).await {
        Ok(response) => Ok(came(response, stream)),
        Err(unanswered) => Err(failed(head, unanswered)),
    }
}

/// A response that came by a stream.
fn came(response: Response<Http2Body>, stream: Stream) -> (Response<AnswerBody>, By) {
    (response.map(AnswerBody::Http2), By::Http2 { stream, changed: None })
}

/// A request that was not answered, as far as it is there for another try.
fn failed(head: Parts, Unanswered { fault, unsent }: Unanswered) -> Failed {
    Box::new((fault, unsent.map(|body| Request::from_parts(head, body))))
}

/// Asks for a change of protocol: by HTTP/2 where the endpoint takes that, else by HTTP/1.
async fn send_change(
    worker: &Rc<Worker>,
    (endpoint, way): (&Endpoint, &Way),
    mut request: Request<RequestBody>,
    trail: &mut Trail<'_>,
) -> Result<(Response<AnswerBody>, By), Failed> {
    let stream = match any_stream(worker, endpoint, way).await {
        Ok(stream) => stream,
        Err(fault) => return Err(Box::new((fault, Some(request)))),
    };
    if !stream.connection().takes_changes() {
        drop(stream);
        return send_http1(worker, (endpoint, way), request, trail).await;
    }
    trail.came_by(stream.connection().local);
    let Some(change) = Change::ask(&mut request) else {
        return Err(Box::new((Fault::BadRequest("the protocol to change to is no text"), None)));
    };
    let (head, _) = request.into_parts();
    let (mut response, changed) = match stream.change(&head, Some(&change.protocol)).await {
        Ok(answered) => answered,
        Err(fault) => return Err(Box::new((fault, None))),
    };
    if changed.is_some() {
        change.grant(&mut response);
    }
    Ok(came_or_changed(response, (stream, changed)))
}

/// Asks for a tunnel by HTTP/2.
async fn send_connect(
    worker: &Rc<Worker>,
    (endpoint, way): (&Endpoint, &Way),
    request: Request<RequestBody>,
    trail: &mut Trail<'_>,
) -> Result<(Response<AnswerBody>, By), Failed> {
    let stream = match any_stream(worker, endpoint, way).await {
        Ok(stream) => stream,
        Err(fault) => return Err(Box::new((fault, Some(request)))),
    };
    trail.came_by(stream.connection().local);
    let (head, _) = request.into_parts();
    match stream.change(&head, None).await {
        Ok((response, changed)) => Ok(came_or_changed(response, (stream, changed))),
        Err(fault) => Err(Box::new((fault, None))),
    }
}

/// A response that came by a stream, which goes on where there is no body.
fn came_or_changed(
    response: Response<Option<Http2Body>>,
    (stream, changed): (Stream, Option<Pipe>),
) -> (Response<AnswerBody>, By) {
    let by = By::Http2 { stream, changed: changed.map(Box::new) };
    (response.map(|body| body.map_or(AnswerBody::Nothing, AnswerBody::Http2)), by)
}

/// A stream of HTTP/2, over a shared connection if there is one.
async fn any_stream(worker: &Rc<Worker>, endpoint: &Endpoint, way: &Way) -> Result<Stream, Fault> {
    match worker.pool.stream(way) {
        Some(stream) => Ok(stream),
        None => http2(worker, endpoint, way).await,
    }
}

/// A connection of HTTP/1, as far as one more may be.
async fn http1(worker: &Rc<Worker>, endpoint: &Endpoint, way: &Way) -> Result<Http1, Fault> {
    let Some(bounds) = endpoint.bounds() else {
        return Http1::dial(way.clone(), worker, None).await;
    };
    let close = || worker.pool.close_one(|held| bounds.count(held));
    // Boxed, because most requests find a connection.
    match Box::pin(bounds.turn(|| worker.pool.idle(way), close)).await? {
        Turn::Kept(connection) => Ok(connection),
        Turn::New(held, _waiting) => {
            bounds.connect(Http1::dial(way.clone(), worker, Some(held))).await
        }
    }
}

/// A stream of HTTP/2, over a new connection as far as one more may be.
async fn http2(worker: &Rc<Worker>, endpoint: &Endpoint, way: &Way) -> Result<Stream, Fault> {
    let Some(bounds) = endpoint.bounds() else {
        return worker.pool.new_stream(way, worker, None).await;
    };
    let close = || worker.pool.close_one(|held| bounds.count(held));
    match bounds.turn(|| worker.pool.stream(way), close).await? {
        Turn::Kept(stream) => Ok(stream),
        Turn::New(held, _waiting) => {
            bounds.connect(worker.pool.new_stream(way, worker, Some(held))).await
        }
    }
}

/// The response flag of a response that was to be tried again.
const RETRIES_EXHAUSTED: &str = "URX";
