//! Sends a request to an endpoint and waits for the head of the response.
//!
//! A request is sent a second time only when nothing of it can have been processed: another
//! endpoint when connecting failed, another connection when a kept one had died.
//!
//! **Invariant:** a request whose body was begun is never sent again.

use std::rc::Rc;

use bytes::Bytes;
use http::{Request, Response};

use crate::proxy::{
    record::Record,
    respond::Fault,
    stream,
    upstream::{Http1, Stream, Unanswered},
    view::{Cluster, InFlight},
    way::Way,
    worker::Worker,
};

use super::{RequestBody, body::AnswerBody};

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
}

/// A connection to an endpoint that is in use; dropping it closes it, or its stream.
pub(super) struct Carrier {
    by: By,
    _in_flight: InFlight,
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

/// Sends a request to an endpoint of a cluster.
pub(super) async fn send(
    worker: &Rc<Worker>,
    cluster: &Cluster,
    version: Version,
    mut request: Request<RequestBody>,
    record: &mut Record,
) -> Result<Answered, Fault> {
    let mut tried = Vec::new();
    let mut dice = |bound| worker.dice(bound);
    let mut endpoint = cluster.choose(&tried, &mut dice).ok_or(Fault::NoEndpoint)?;
    loop {
        record.workload.clone_from(&endpoint.workload);
        record.note(|entry| entry.upstream_host = Some(endpoint.address));
        let in_flight = endpoint.begin();
        let way = worker.way(endpoint, record.peer());
        let (fault, unsent) = match send_to(worker, &way, version, request, record).await {
            Ok((response, by)) => {
                let carrier = Carrier { by, _in_flight: in_flight };
                return Ok(Answered { response, carrier });
            }
            Err(failed) => *failed,
        };
        tried.push(endpoint.address);
        let again = unsent.filter(|_| fault.row().may_retry && tried.len() < TRIES_MAX);
        match (again, cluster.choose(&tried, &mut dice)) {
            (Some(again), Some(other)) => (request, endpoint) = (again, other),
            _ => return Err(fault),
        }
    }
}

/// A fault, and the request if nothing of it was sent.
type Failed = Box<(Fault, Option<Request<RequestBody>>)>;

/// Sends a request to an endpoint.
async fn send_to(
    worker: &Rc<Worker>,
    way: &Way,
    version: Version,
    request: Request<RequestBody>,
    record: &mut Record,
) -> Result<(Response<AnswerBody>, By), Failed> {
    match version {
        Version::Http1 => send_http1(worker, way, request, record).await,
        Version::Http2 => send_http2(worker, way, request, record).await,
    }
}

/// Sends a request by HTTP/1, over a kept connection if there is one, else or again over a new one.
async fn send_http1(
    worker: &Rc<Worker>,
    way: &Way,
    request: Request<RequestBody>,
    record: &mut Record,
) -> Result<(Response<AnswerBody>, By), Failed> {
    let (head, mut body) = request.into_parts();
    if let Some(mut connection) = worker.pool.idle(way) {
        record.note(|entry| entry.upstream_local_address = connection.local);
        match connection.send(&head, body).await {
            Ok(response) => return Ok((response.map(AnswerBody::Http1), By::Http1(connection))),
            Err(Unanswered { fault, unsent }) => {
                body = unsent.ok_or_else(|| Box::new((fault, None)))?;
            }
        }
    }
    let mut connection = match Http1::dial(way.clone(), worker).await {
        Ok(connection) => connection,
        Err(fault) => return Err(Box::new((fault, Some(Request::from_parts(head, body))))),
    };
    record.note(|entry| entry.upstream_local_address = connection.local);
    match connection.send(&head, body).await {
        Ok(response) => Ok((response.map(AnswerBody::Http1), By::Http1(connection))),
        Err(unanswered) => Err(Box::new((unanswered.fault, None))),
    }
}

/// Sends a request by HTTP/2, over a shared connection if there is one, else or again over a new
/// one.
async fn send_http2(
    worker: &Rc<Worker>,
    way: &Way,
    mut request: Request<RequestBody>,
    record: &mut Record,
) -> Result<(Response<AnswerBody>, By), Failed> {
    if let Some(stream) = worker.pool.stream(way) {
        record.note(|entry| entry.upstream_local_address = stream.connection().local);
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
    let stream = match Box::pin(worker.pool.new_stream(way, worker)).await {
        Ok(stream) => stream,
        Err(fault) => return Err(Box::new((fault, Some(request)))),
    };
    record.note(|entry| entry.upstream_local_address = stream.connection().local);
    let mut sender = stream.connection().sender.clone();
    match sender.try_send_request(request).await {
        Ok(response) => Ok((response.map(AnswerBody::Http2), By::Http2 { _stream: stream })),
        Err(error) => Err(Box::new((fault_of(error.error()), None))),
    }
}

/// What the codec's error means.
fn fault_of(error: &hyper::Error) -> Fault {
    tracing::debug!(cause = %error, "an endpoint did not answer");
    if error.is_parse() { Fault::UpstreamProtocol } else { Fault::UpstreamClosed }
}

/// Endpoints that are tried for one request when connecting fails.
const TRIES_MAX: usize = 3;
