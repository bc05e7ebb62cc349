//! CONNECT (RFC 9110 section 9.3.6): a tunnel to an endpoint of the backend that a route names.
//!
//! What it asks for is a host and a port, and no path; it goes where its route says, not where it
//! asks. An extended CONNECT is none of these; that is `extended_connect`'s.
//!
//! **Invariant:** a client is told of a success only where an endpoint opened a tunnel, and nothing
//! that it sends behind the request is taken before.

use http::{
    HeaderValue, Method, Request, Response, StatusCode, Uri, Version,
    header::{HOST, TE, UPGRADE},
    request::Parts,
    uri::Authority,
};

use crate::proxy::respond::Fault;

use super::{
    RequestBody,
    body::{AnswerBody, ResponseBody},
    forward,
};

/// Whether a request asks for a tunnel, as far as it can be one.
pub(super) fn is_plain<B>(request: &Request<B>) -> bool {
    *request.method() == Method::CONNECT && request.uri().path_and_query().is_none()
}

/// Whether a request for a tunnel names a host and a port, and has no body; what came as another
/// kind of CONNECT, or by HTTP/1.0, nobody lets pass.
pub(super) fn check(parts: &Parts, has_body: bool) -> Result<(), Fault> {
    let named = parts.uri.authority().filter(|_| parts.uri.path_and_query().is_none());
    let Some(authority) = named.filter(|_| parts.version != Version::HTTP_10) else {
        return Err(Fault::MethodRefused);
    };
    if authority.port_u16().is_none_or(|port| port == 0) {
        return Err(Fault::BadRequest("CONNECT to no port"));
    }
    if has_body {
        return Err(Fault::BadRequest("CONNECT with a body"));
    }
    Ok(())
}

/// Finishes a request for a tunnel: it asks for what `Host` says by now, at the port that the
/// client asked for where that says none.
pub(super) fn finish(
    request: &mut Request<RequestBody>,
    asked: &Uri,
    version: forward::Version,
) -> Option<()> {
    let headers = request.headers_mut();
    headers.remove(TE);
    headers.remove(UPGRADE);
    let host = headers.remove(HOST)?;
    let mut authority: Authority = host.as_bytes().try_into().ok()?;
    if authority.port().is_none() {
        authority = format!("{authority}:{}", asked.port_u16()?).parse().ok()?;
    }
    match version {
        forward::Version::Http1 => {
            headers.insert(HOST, HeaderValue::from_str(authority.as_str()).ok()?);
        }
        forward::Version::Http2 => *request.version_mut() = Version::HTTP_2,
    }
    *request.uri_mut() = authority.into();
    Some(())
}

/// An endpoint's answer; one that opens a tunnel has no body, whatever it says
/// (RFC 9112 section 6.3).
pub(super) fn answered(response: Response<AnswerBody>) -> Response<AnswerBody> {
    let opens = response.status().is_success();
    response.map(|body| if opens { AnswerBody::Nothing } else { body })
}

/// The answer that a client may have.
pub(super) fn answer(mut response: Response<ResponseBody>) -> Response<ResponseBody> {
    if response.status().is_success() && !matches!(response.body(), ResponseBody::Tunnel(_)) {
        // It would look like a tunnel.
        *response.status_mut() = StatusCode::BAD_GATEWAY;
    }
    response
}

#[cfg(test)]
mod tests;
