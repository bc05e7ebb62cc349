//! Changes of protocol over HTTP/2 (RFC 8441): an extended CONNECT, toward clients and endpoints.
//!
//! Between the two a change has the form of HTTP/1, whatever is spoken on either side: policies,
//! routes and the access log see a `GET` with `Upgrade`, and its answer is a 101. What is told of a
//! change is told once, by `upgrade`.
//!
//! **Invariant:** a client is granted a change only where an endpoint granted it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE},
    uri::PathAndQuery,
};
use sha1::{Digest as _, Sha1};

use crate::proxy::respond::Fault;

use super::{RequestBody, body::ResponseBody, fields, outgoing, reply};

/// What a client asked by an extended CONNECT.
pub(super) struct Asked {
    /// The key that a WebSocket endpoint of HTTP/1 has to answer.
    key: Option<HeaderValue>,
}

impl Asked {
    /// Gives an extended CONNECT the form that it has in HTTP/1. Any other CONNECT stays one.
    pub(super) fn take(
        request: &mut Request<()>,
        protocol: HeaderValue,
        random: impl FnOnce() -> u128,
    ) -> Option<Self> {
        let is_websocket = protocol == WEBSOCKET;
        let headers = request.headers_mut();
        fields::set_upgrade(headers, protocol);
        fields::upgrade_of(http::Version::HTTP_2, headers)?;
        let random = || HeaderValue::from_str(&STANDARD.encode(random().to_be_bytes()));
        if is_websocket && let Ok(key) = random() {
            headers.entry(SEC_WEBSOCKET_KEY).or_insert(key);
        }
        let key = headers.get(SEC_WEBSOCKET_KEY).cloned().filter(|_| is_websocket);
        *request.method_mut() = Method::GET;
        Some(Self { key })
    }

    /// The answer in the form of HTTP/2.
    pub(super) fn answer(self, response: Response<ResponseBody>) -> Response<ResponseBody> {
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
        Response::from_parts(head, ResponseBody::Tunnel(tunnel))
    }
}

/// What an endpoint of HTTP/2 is asked in place of a change of protocol.
pub(super) struct Change {
    /// The protocol, as the request has it.
    told: HeaderValue,
    /// What is asked for.
    pub(super) protocol: String,
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
        let told = headers.remove(UPGRADE)?;
        let protocol = told.to_str().ok()?.split(',').next()?.trim().to_ascii_lowercase();
        headers.remove(CONNECTION);
        let key = headers.remove(SEC_WEBSOCKET_KEY);
        let path = request.uri().path_and_query().cloned();
        outgoing::http2(request, path.unwrap_or(PathAndQuery::from_static("/")));
        *request.method_mut() = Method::CONNECT;
        Some(Self { told, protocol, accept: key.as_ref().and_then(accept) })
    }

    /// Gives an answer that grants the change the form that it has in HTTP/1.
    pub(super) fn grant<B>(self, response: &mut Response<B>) {
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers: &mut HeaderMap = response.headers_mut();
        fields::set_upgrade(headers, self.told);
        headers.extend(self.accept.map(|accept| (SEC_WEBSOCKET_ACCEPT, accept)));
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
