//! Changes of protocol over HTTP/2 (RFC 8441): an extended CONNECT, toward clients and endpoints.
//!
//! Between the two a change has the form of HTTP/1, whatever is spoken on either side: policies,
//! routes and the access log see a `GET` with `Upgrade`, and its answer is a 101. What is told of a
//! change is told once, by `upgrade`.
//!
//! **Invariant:** a client is granted a change only where an endpoint granted it.

use std::rc::Rc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE},
    uri::PathAndQuery,
};
use hyper::{
    body::Incoming,
    ext::Protocol,
    upgrade::{OnUpgrade, on},
};
use sha1::{Digest as _, Sha1};

use crate::{
    proxy::{connection::Connection, respond::Fault},
    telemetry::task,
};

use super::{
    RequestBody, body::ResponseBody, client_body::ClientBody, exchange, fields, outgoing, reply,
};

/// Answers a request of HTTP/2.
pub(super) async fn answer(
    connection: Rc<Connection>,
    mut request: Request<Incoming>,
) -> Response<ResponseBody> {
    let asked = Asked::take(&mut request, || connection.worker.random());
    let response = exchange::answer(connection, request.map(ClientBody::Http2)).await;
    match asked {
        Some(asked) => asked.answer(response),
        None => response,
    }
}

/// What a client asked by an extended CONNECT.
struct Asked {
    /// The stream, once the change is granted.
    stream: OnUpgrade,
    /// The key that a WebSocket endpoint of HTTP/1 has to answer.
    key: Option<HeaderValue>,
}

impl Asked {
    /// Gives an extended CONNECT the form that it has in HTTP/1. Any other CONNECT stays one.
    fn take(request: &mut Request<Incoming>, random: impl FnOnce() -> u128) -> Option<Self> {
        if *request.method() != Method::CONNECT {
            return None;
        }
        let protocol = request.extensions().get::<Protocol>()?;
        let protocol = HeaderValue::from_str(protocol.as_str()).ok()?;
        let is_websocket = protocol == WEBSOCKET;
        let headers = request.headers_mut();
        fields::set_upgrade(headers, protocol);
        if fields::upgrade_of(http::Version::HTTP_2, headers).is_none() {
            return None;
        }
        let random = || HeaderValue::from_str(&STANDARD.encode(random().to_be_bytes()));
        if is_websocket && let Ok(key) = random() {
            headers.entry(SEC_WEBSOCKET_KEY).or_insert(key);
        }
        let key = headers.get(SEC_WEBSOCKET_KEY).cloned().filter(|_| is_websocket);
        *request.method_mut() = Method::GET;
        Some(Self { stream: on(request), key })
    }

    /// The answer in the form of HTTP/2. A change that was granted begins.
    fn answer(self, response: Response<ResponseBody>) -> Response<ResponseBody> {
        let (mut head, body) = response.into_parts();
        let ResponseBody::Tunnel(tunnel) = body else {
            if head.status.is_success() {
                // It would grant the change.
                head.status = StatusCode::BAD_GATEWAY;
            }
            return Response::from_parts(head, body);
        };
        let told = head.headers.remove(SEC_WEBSOCKET_ACCEPT);
        if self.key.is_some_and(|key| told != accept(&key)) {
            return reply::refuse(tunnel.record, Fault::UpstreamProtocol);
        }
        head.status = StatusCode::OK;
        head.headers.remove(CONNECTION);
        head.headers.remove(UPGRADE);
        task::spawn_local("tunnel", tunnel.run_on(self.stream));
        Response::from_parts(head, ResponseBody::Empty)
    }
}

/// What an endpoint of HTTP/2 is asked in place of a change of protocol.
pub(super) struct Change {
    protocol: HeaderValue,
    /// What a WebSocket client of HTTP/1 awaits for its key.
    accept: Option<HeaderValue>,
}

impl Change {
    /// Whether a request that leaves asks for a change.
    pub(super) fn is_asked_by(request: &Request<RequestBody>) -> bool {
        request.headers().contains_key(UPGRADE)
    }

    /// Makes an extended CONNECT of a request that asks for a change.
    pub(super) fn ask(request: &mut Request<RequestBody>) -> Option<Self> {
        let headers = request.headers_mut();
        let protocol = headers.remove(UPGRADE)?;
        let wanted = protocol.to_str().ok()?.split(',').next()?.trim().to_ascii_lowercase();
        headers.remove(CONNECTION);
        let key = headers.remove(SEC_WEBSOCKET_KEY);
        let path = request.uri().path_and_query().cloned();
        outgoing::http2(request, path.unwrap_or(PathAndQuery::from_static("/")));
        *request.method_mut() = Method::CONNECT;
        request.extensions_mut().insert(Protocol::from(wanted.as_str()));
        Some(Self { protocol, accept: key.as_ref().and_then(accept) })
    }

    /// Gives the answer the form that it has in HTTP/1, and takes the stream if it was granted.
    pub(super) fn take(self, response: &mut Response<Incoming>) -> Option<OnUpgrade> {
        if response.status() != StatusCode::OK {
            return None;
        }
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers: &mut HeaderMap = response.headers_mut();
        fields::set_upgrade(headers, self.protocol);
        headers.extend(self.accept.map(|accept| (SEC_WEBSOCKET_ACCEPT, accept)));
        Some(on(response))
    }
}

/// What proves that a WebSocket server has read a key (RFC 6455 section 4.2.2).
fn accept(key: &HeaderValue) -> Option<HeaderValue> {
    let digest = Sha1::new().chain_update(key).chain_update(WEBSOCKET_GUID).finalize();
    HeaderValue::from_str(&STANDARD.encode(digest)).ok()
}

/// The name of WebSocket among protocols.
const WEBSOCKET: &str = "websocket";

/// What is hashed together with the key.
const WEBSOCKET_GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#[cfg(test)]
mod tests;
