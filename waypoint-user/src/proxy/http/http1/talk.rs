//! One request and its response.

use std::{cell::RefCell, future::poll_fn, pin::pin, rc::Rc, task::Poll};

use http::{Method, Request, Response, StatusCode, Version, header::CONNECTION};

use crate::{
    http1::{self, Framing},
    proxy::{
        connection::Connection,
        http::{body::ResponseBody, client_body::ClientBody, connect, exchange, upgrade::Tunnel},
    },
};

use super::{
    body::Body,
    sending::{Sending, Sent},
    wire::Wire,
};

/// What becomes of a connection after a response.
pub(super) enum After {
    /// It carries another request.
    Keep,
    /// It is closed.
    Close,
    /// It is closed once the client had time to read the response, as more of it came, or will.
    Linger,
    /// It is cut off.
    Cut,
    /// It changes its protocol.
    Change(Box<Tunnel>),
}

/// What a response must know of its request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) version: Version,
    pub(super) is_head: bool,
    /// Whether the client wants the connection to stay open.
    pub(super) keeps: bool,
    pub(super) takes_trailers: bool,
}

/// Answers a request.
pub(super) async fn converse(
    connection: &Rc<Connection>,
    wire: &Rc<RefCell<Wire>>,
    request: http1::Request,
) -> After {
    let connects = request.method == Method::CONNECT;
    let asked = Asked {
        version: request.version,
        is_head: request.method == Method::HEAD,
        // What follows was meant for a tunnel; where there is none, it is no request.
        keeps: request.keeps && !connects,
        takes_trailers: request.takes_trailers,
    };
    let body = Body::new(wire, &request);
    let request = into_request(request, ClientBody::Http1(body));
    let Some(response) = answer(connection, wire, request).await else { return After::Cut };
    let drains = connection.worker.drain.is_cancelled();
    let asked = Asked { keeps: asked.keeps && !drains, ..asked };
    let Some(mut sending) = begin((response, connects), asked, &mut wire.borrow_mut()) else {
        return After::Cut;
    };
    let sent = poll_fn(|cx| sending.poll(wire, cx)).await;
    finish(sent, sending, wire)
}

/// Begins to send a response, unless the client left meanwhile.
fn begin(
    (response, connects): (Response<ResponseBody>, bool),
    asked: Asked,
    wire: &mut Wire,
) -> Option<Sending> {
    wire.answered();
    if wire.is_cut() {
        return None;
    }
    let response = if connects { connect::answer(response) } else { response };
    // A body that somebody still takes may come to its end in time.
    let goes_on = wire.is_clean() || wire.is_in_hand();
    let keeps = asked.keeps && goes_on && !closes(&response);
    Some(Sending::begin(response, Asked { keeps, ..asked }, wire))
}

/// The response, unless the client left before it.
async fn answer(
    connection: &Rc<Connection>,
    wire: &RefCell<Wire>,
    request: Request<ClientBody>,
) -> Option<Response<ResponseBody>> {
    let mut answering = pin!(exchange::answer(Rc::clone(connection), request));
    poll_fn(|cx| match answering.as_mut().poll(cx) {
        Poll::Ready(response) => Poll::Ready(Some(response)),
        Poll::Pending => wire.borrow_mut().poll_gone(cx).map(|()| None),
    })
    .await
}

/// What becomes of the connection.
fn finish(sent: Sent, sending: Sending, wire: &RefCell<Wire>) -> After {
    let Sending { body, keeps, framing, .. } = sending;
    // Whatever else is left of the response is let go before the connection is looked at.
    let tunnel = if let ResponseBody::Tunnel(tunnel) = body { Some(tunnel) } else { None };
    let mut wire = wire.borrow_mut();
    if sent == Sent::Broken && framing == Framing::UntilClose {
        // Its end would look like the end of the body.
        wire.reset();
    }
    match tunnel {
        _ if sent != Sent::All => After::Cut,
        _ if !wire.is_clean() => After::Linger,
        Some(tunnel) => After::Change(tunnel),
        None if keeps => After::Keep,
        None if wire.has_begun() => After::Linger,
        None => After::Close,
    }
}

/// The request as the rest of the engine knows it.
fn into_request(request: http1::Request, body: ClientBody) -> Request<ClientBody> {
    let http1::Request { method, target, version, headers, .. } = request;
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = target;
    *request.version_mut() = version;
    *request.headers_mut() = headers;
    request
}

/// Whether a response wants the connection closed.
fn closes(response: &Response<ResponseBody>) -> bool {
    let told = response.headers().get(CONNECTION);
    response.status() != StatusCode::SWITCHING_PROTOCOLS
        && told.is_some_and(|told| told.as_bytes().eq_ignore_ascii_case(b"close"))
}
