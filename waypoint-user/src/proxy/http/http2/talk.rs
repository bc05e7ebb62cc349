//! One request of a client, and its response.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    rc::Rc,
    task::Poll,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version};

use crate::{
    http2::{Accepted, Pipe, Receiving, RequestHead, Sending},
    proxy::{
        connection::Connection,
        http::{
            body::ResponseBody, client_body::ClientBody, connect, exchange,
            extended_connect::Asked, tell_malformed,
        },
    },
};

use super::sending;

/// Answers a request.
pub(super) async fn converse(connection: Rc<Connection>, accepted: Accepted) {
    let Accepted { head, body, mut reply } = accepted;
    let Some(head) = head else {
        let status = tell_malformed(&connection, true);
        let refused = reply.respond(status, &HeaderMap::new(), true);
        tracing::trace!(?refused, "a client sent too many fields");
        return;
    };
    let to_head = head.method == Method::HEAD;
    let (mut request, protocol) = into_request(head);
    let random = || connection.worker.random();
    let asked = protocol.and_then(|protocol| Asked::take(&mut request, protocol, random));
    if asked.is_some() || connect::is_plain(&request) {
        let request = request.map(|()| ClientBody::Nothing);
        return Box::pin(change(connection, (request, asked), body, reply)).await;
    }
    let request = request.map(|()| ClientBody::Http2(body));
    if let Some(response) = answer(connection, request, &mut reply).await {
        sending::send(response, to_head, &mut reply).await;
    }
}

/// The response, unless the stream ended before it.
async fn answer(
    connection: Rc<Connection>,
    request: Request<ClientBody>,
    reply: &mut Sending,
) -> Option<Response<ResponseBody>> {
    let mut answering = pin!(exchange::answer(connection, request));
    poll_fn(|cx| match answering.as_mut().poll(cx) {
        Poll::Ready(response) => Poll::Ready(Some(response)),
        Poll::Pending => reply.poll_reset(cx).map(|broken| {
            tracing::trace!(%broken, "a request was let go");
            None
        }),
    })
    .await
}

/// Answers a request to change the protocol, or for a tunnel, and copies what follows where that is
/// granted.
async fn change(
    connection: Rc<Connection>,
    (request, asked): (Request<ClientBody>, Option<Asked>),
    body: Receiving,
    mut reply: Sending,
) {
    let Some(response) = answer(connection, request, &mut reply).await else { return };
    let response = match asked {
        Some(asked) => asked.answer(response),
        None => connect::answer(response),
    };
    let (head, body_of_response) = response.into_parts();
    let ResponseBody::Tunnel(tunnel) = body_of_response else {
        let response = Response::from_parts(head, body_of_response);
        return sending::send(response, false, &mut reply).await;
    };
    // A client that is gone is heard of by whoever copies.
    let granted = reply.respond(head.status, &sending::dated(head.headers), false);
    tracing::trace!(?granted, "a change of protocol begins");
    tunnel.run(Pipe::new(body, reply), Bytes::new()).await;
}

/// The request as the rest of the engine knows it, and the protocol that it wants.
fn into_request(head: RequestHead) -> (Request<()>, Option<HeaderValue>) {
    let RequestHead { method, target, protocol, headers } = head;
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = target;
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = headers;
    (request, protocol)
}
