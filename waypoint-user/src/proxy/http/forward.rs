//! Sends a request to one endpoint and waits for the head of the response.
//!
//! Where a kept connection had died, the request is sent again over another, if nothing of it can
//! have been processed. Every other try is `tries`'s.
//!
//! **Invariant:** a request whose body was begun is not sent again here.

use std::{error::Error as _, net::SocketAddr, rc::Rc};

use bytes::Bytes;
use http::{Request, Response};

use crate::{
    mesh::request::Peer,
    proxy::{
        record::Record,
        regime::Permit,
        respond::Fault,
        stream,
        upstream::{Http1, Stream, Unanswered},
        view::{Bounds, Endpoint, InFlight, Turn},
        way::Way,
        worker::Worker,
    },
};

use super::{RequestBody, body::AnswerBody, deadline::Until, idle::Idle};

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
    Http2 { _stream: Stream },
}

impl Carrier {
    /// Keeps the connection for other requests; request and response have ended.
    pub(super) fn keep(self, worker: &Worker) {
        if let By::Http1(connection) = self.by {
            worker.pool.keep(connection, &worker.limits);
        }
    }

    /// The stream of a connection that changed its protocol, with what came on it already.
    pub(super) fn take_stream(&self) -> Option<(stream::Stream, Bytes)> {
        match &self.by {
            By::Http1(connection) => connection.take_stream(),
            By::Http2 { .. } => None,
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
    let (response, by) = match version {
        Version::Http1 => send_http1(worker, (endpoint, &way), request, trail).await?,
        Version::Http2 => send_http2(worker, (endpoint, &way), request, trail).await?,
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

    fn came_by(&mut self, local: Option<SocketAddr>) {
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
    mut request: Request<RequestBody>,
    trail: &mut Trail<'_>,
) -> Result<(Response<AnswerBody>, By), Failed> {
    if let Some(stream) = worker.pool.stream(way) {
        trail.came_by(stream.connection().local);
        let mut sender = stream.connection().sender.clone();
        match sender.try_send_request(request).await {
            Ok(response) => {
                return Ok((response.map(AnswerBody::Http2), By::Http2 { _stream: stream }));
            }
            Err(mut error) => {
                let unsent = error.take_message();
                request = unsent.ok_or_else(|| Box::new((fault_of(error.error()), None)))?;
            }
        }
    }
    let stream = match Box::pin(http2(worker, endpoint, way)).await {
        Ok(stream) => stream,
        Err(fault) => return Err(Box::new((fault, Some(request)))),
    };
    trail.came_by(stream.connection().local);
    let mut sender = stream.connection().sender.clone();
    match sender.try_send_request(request).await {
        Ok(response) => Ok((response.map(AnswerBody::Http2), By::Http2 { _stream: stream })),
        Err(error) => Err(Box::new((fault_of(error.error()), None))),
    }
}

/// A connection of HTTP/1, as far as one more may be.
async fn http1(worker: &Rc<Worker>, endpoint: &Endpoint, way: &Way) -> Result<Http1, Fault> {
    let Some(bounds) = endpoint.bounds() else {
        return Http1::dial(way.clone(), worker, None).await;
    };
    match bounds.turn(|| worker.pool.idle(way)).await? {
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
    match bounds.turn(|| worker.pool.stream(way)).await? {
        Turn::Kept(stream) => Ok(stream),
        Turn::New(held, _waiting) => {
            bounds.connect(worker.pool.new_stream(way, worker, Some(held))).await
        }
    }
}

/// What the codec's error means.
fn fault_of(error: &hyper::Error) -> Fault {
    tracing::debug!(cause = %error, "an endpoint did not answer");
    let reason = error.source().and_then(|cause| cause.downcast_ref::<h2::Error>());
    if reason.and_then(h2::Error::reason) == Some(h2::Reason::REFUSED_STREAM) {
        Fault::UpstreamRefused
    } else if error.is_parse() {
        Fault::UpstreamProtocol
    } else {
        Fault::UpstreamClosed
    }
}

/// The response flag of a response that was to be tried again.
const RETRIES_EXHAUSTED: &str = "URX";
