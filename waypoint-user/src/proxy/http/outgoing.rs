//! The request that leaves for an endpoint.
//!
//! **Invariant:** its target is the path that policies and routes saw, unless a rule rewrote it.

use std::rc::Rc;

use http::{
    HeaderMap, HeaderValue, Method, Request, Uri, Version,
    header::{CONNECTION, HOST, TE},
    request::Parts,
    uri::PathAndQuery,
};

use crate::{mesh::service::AppProtocol, route::Edits};

use super::{RequestBody, connect, fields, forward, tape::Tape, tries::Kept};

/// A request that passed, and its body.
pub(super) struct Outgoing {
    /// The head, as the client sent it.
    pub(super) parts: Parts,
    /// The body.
    pub(super) body: RequestBody,
    /// The authority that the client asked for.
    pub(super) authority: String,
    /// The path in normal form, and the query; `None` where they are as the client sent them.
    pub(super) path_and_query: Option<String>,
    /// What the body is read through, where it is needed more than once.
    pub(super) tape: Option<Rc<Tape>>,
}

impl Outgoing {
    /// The same request for somebody else.
    pub(super) fn copy(&self) -> Self {
        let copy = self.tape.as_ref().map(|tape| RequestBody::copy(tape.copy()));
        Self {
            parts: self.parts.clone(),
            body: copy.unwrap_or_else(RequestBody::empty),
            authority: self.authority.clone(),
            path_and_query: self.path_and_query.clone(),
            tape: None,
        }
    }

    /// What of the body there is for another try.
    pub(super) fn kept(&self) -> Kept {
        match &self.tape {
            _ if self.body.is_empty() => Kept::Empty,
            Some(tape) => Kept::Tape(Rc::clone(tape)),
            None => Kept::Nothing,
        }
    }

    /// The protocol that the request asks to change to.
    pub(super) fn upgrade(&self) -> Option<HeaderValue> {
        let connects = self.parts.method == Method::CONNECT;
        fields::upgrade_of(self.parts.version, &self.parts.headers).filter(|_| !connects)
    }

    /// What an endpoint of a port that declares this is spoken to.
    pub(super) fn version_for(&self, declared: AppProtocol) -> forward::Version {
        version_for(&self.parts, declared)
    }

    /// Makes the request; `learn` adds what the endpoint learns of its client.
    pub(super) fn build(
        self,
        version: forward::Version,
        edits: &Edits<'_>,
        learn: impl FnOnce(&mut HeaderMap),
    ) -> Request<RequestBody> {
        let upgrade = self.upgrade();
        let Self { parts, body, authority, path_and_query, .. } = self;
        let mut headers = parts.headers;
        fields::remove_hop_by_hop(&mut headers);
        learn(&mut headers);
        set_host(&mut headers, &authority);
        fields::edit(&mut headers, edits.request.iter().copied());
        fields::remove_framing(&mut headers);
        if let Some(authority) = edits.authority {
            set_host(&mut headers, authority);
        }
        if parts.method == Method::CONNECT {
            let mut request = Request::new(body);
            (*request.method_mut(), *request.headers_mut()) = (parts.method, headers);
            if connect::finish(&mut request, &parts.uri, version).is_none() {
                *request.uri_mut() = parts.uri;
            }
            return request;
        }
        let path_and_query = edits.path_and_query.as_deref().or(path_and_query.as_deref());
        let path_and_query = match (path_and_query, parts.uri.into_parts().path_and_query) {
            (None, Some(as_sent)) => as_sent,
            (Some(other), _) => other.parse().unwrap_or(ROOT),
            (None, None) => ROOT,
        };
        let mut request = Request::new(body);
        *request.method_mut() = parts.method;
        *request.headers_mut() = headers;
        match version {
            // A change gets the form of HTTP/2 once it is known that the endpoint takes it.
            forward::Version::Http2 if upgrade.is_none() => http2(&mut request, path_and_query),
            _ => http1(&mut request, path_and_query, upgrade),
        }
        request
    }
}

/// What the endpoint is spoken to: what its port declares, else what the client speaks. Protocols
/// are changed by HTTP/1 unless HTTP/2 is declared.
pub(super) fn version_for(parts: &Parts, declared: AppProtocol) -> forward::Version {
    let http2 = match declared {
        AppProtocol::Http2 => true,
        AppProtocol::Http => false,
        AppProtocol::Detect | AppProtocol::Tcp => {
            let upgrade = fields::upgrade_of(parts.version, &parts.headers);
            parts.version == Version::HTTP_2 && upgrade.is_none()
        }
    };
    if http2 { forward::Version::Http2 } else { forward::Version::Http1 }
}

/// Sets the host, unless it is set already.
fn set_host(headers: &mut HeaderMap, authority: &str) {
    if !headers.get_all(HOST).iter().map(HeaderValue::as_bytes).eq([authority.as_bytes()]) {
        fields::insert(headers, &HOST, authority);
    }
}

/// Finishes a request for HTTP/1, but for what frames it.
fn http1(request: &mut Request<RequestBody>, path: PathAndQuery, upgrade: Option<HeaderValue>) {
    *request.uri_mut() = path.into();
    let headers = request.headers_mut();
    if let Some(upgrade) = upgrade {
        fields::set_upgrade(headers, upgrade);
    } else if headers.contains_key(TE) {
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
}

/// Finishes a request for HTTP/2, where the authority is part of the target.
pub(super) fn http2(request: &mut Request<RequestBody>, path: PathAndQuery) {
    *request.version_mut() = Version::HTTP_2;
    let host = request.headers_mut().remove(HOST);
    let mut target = http::uri::Parts::default();
    target.path_and_query = Some(path);
    target.authority = host.and_then(|host| host.as_bytes().try_into().ok());
    target.scheme = target.authority.is_some().then_some(http::uri::Scheme::HTTP);
    *request.uri_mut() = Uri::from_parts(target).unwrap_or_default();
}

/// The path of a request that tells none.
const ROOT: PathAndQuery = PathAndQuery::from_static("/");
