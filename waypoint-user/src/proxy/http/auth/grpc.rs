//! By gRPC: Envoy's `ext_authz`.

use std::{collections::HashMap, net::SocketAddr};

use bytes::{BufMut, Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri,
    header::{CONTENT_TYPE, HOST, TE},
};
use prost::Message;

use crate::{
    mesh::{request::RequestHead, route::ExternalAuth},
    proxy::{overload::Held, respond::Fault},
};

use super::{
    super::{RequestBody, body::ResponseBody, exchange::protocol, fields},
    Answer, Asking, Granted, Outgoing, PARTIAL_BODY, Verdict,
    messages::{
        Address, Asked, Attributes, CheckRequest, CheckResponse, Denied, Field, FieldOption,
        HttpAsked, Party, Socket,
    },
    outgoing,
};

/// What is known of the request and of who sends it. A body that is shown is copied into it, and
/// so held once more.
pub(super) fn question(
    auth: &ExternalAuth,
    asking: &Asking<'_>,
    shown: Option<Bytes>,
    held: &mut Held,
) -> Result<Outgoing, Fault> {
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static(CHECK);
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(TE, HeaderValue::from_static("trailers"));
    let is_shown = shown.is_some();
    let message = check(auth, asking, shown);
    if is_shown {
        held.grow(PREFIX_BYTES + message.encoded_len())?;
    }
    let body = framed(&message).ok_or(Fault::Unasked)?;
    let authority = format!("{}.{}", auth.service.name, auth.service.namespace);
    Ok(outgoing(request.into_parts().0, RequestBody::bytes(body), &authority))
}

/// A message as gRPC sends it.
fn framed(message: &CheckRequest) -> Option<Bytes> {
    let length = message.encoded_len();
    let mut framed = BytesMut::with_capacity(PREFIX_BYTES + length);
    framed.put_u8(0);
    framed.put_u32(u32::try_from(length).ok()?);
    message.encode(&mut framed).ok()?;
    Some(framed.freeze())
}

fn check(auth: &ExternalAuth, asking: &Asking<'_>, shown: Option<Bytes>) -> CheckRequest {
    let head = asking.head;
    let query = head.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut headers = told(auth, head.fields());
    let size = shown.as_ref().map_or(0, Bytes::len);
    if shown.is_some() {
        headers.insert(PARTIAL_BODY.as_str().to_owned(), "false".to_owned());
    }
    let (body, raw_body) = text_or_bytes(shown.unwrap_or_default());
    let http = HttpAsked {
        id: head.header(fields::REQUEST_ID.as_str()).unwrap_or_default().into_owned(),
        method: head.method().to_owned(),
        headers,
        path: format!("{}{query}", head.path()),
        host: head.authority().to_owned(),
        scheme: head.scheme().to_owned(),
        protocol: protocol(head.version()).to_owned(),
        size: i64::try_from(size).unwrap_or(i64::MAX),
        body,
        raw_body,
    };
    let principal = asking.peer.identity.as_ref().map(ToString::to_string).unwrap_or_default();
    CheckRequest {
        attributes: Some(Attributes {
            source: Some(party(asking.peer.address, principal)),
            destination: Some(party(asking.dialled, String::new())),
            request: Some(Asked { http: Some(http) }),
        }),
    }
}

/// A body as the text that it is, else as its bytes.
fn text_or_bytes(shown: Bytes) -> (Bytes, Bytes) {
    match str::from_utf8(&shown) {
        Ok(_) => (shown, Bytes::new()),
        Err(_) => (Bytes::new(), shown),
    }
}

/// The fields that are named, or all where none is. What is no text is told as far as it is one:
/// the endpoint gets it, so the authority must not believe that it is not there.
fn told(auth: &ExternalAuth, headers: &HeaderMap) -> HashMap<String, String> {
    let named = |name: &HeaderName| {
        auth.told.is_empty() || auth.told.iter().any(|one| one == name.as_str())
    };
    let mut told: HashMap<String, String> = HashMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| named(name)) {
        let all = told.entry(name.as_str().to_owned()).or_default();
        if !all.is_empty() {
            all.push(',');
        }
        all.push_str(&String::from_utf8_lossy(value.as_bytes()));
    }
    told
}

fn party(address: SocketAddr, principal: String) -> Party {
    let socket = Socket { address: address.ip().to_string(), port: address.port().into() };
    Party { address: Some(Address { socket: Some(socket) }), principal }
}

/// What the answer means; `None` when it is none.
pub(super) fn verdict(answer: &Answer) -> Option<Verdict> {
    let status = answer.trailers.as_ref().and_then(|fields| fields.get("grpc-status"));
    if answer.head.status != StatusCode::OK || status.is_none_or(|status| status != "0") {
        return None;
    }
    let length = answer.body.get(1..PREFIX_BYTES)?.try_into().ok().map(u32::from_be_bytes)?;
    let message = answer.body.get(PREFIX_BYTES..)?;
    let whole = answer.body.first() == Some(&0) && u32::try_from(message.len()) == Ok(length);
    let said = CheckResponse::decode(message).ok().filter(|_| whole)?;
    if said.status.is_none_or(|status| status.code == 0) {
        let ok = said.ok.unwrap_or_default();
        let removed = ok.removed.iter().filter_map(|name| name.parse().ok());
        return Some(Verdict::Pass(Granted {
            set: named(&ok.headers),
            removed: removed.filter(|name| *name != HOST).collect(),
        }));
    }
    Some(Verdict::Refuse(refusal(said.denied.unwrap_or_default())))
}

fn refusal(denied: Denied) -> Response<ResponseBody> {
    let code = denied.status.and_then(|status| u16::try_from(status.code).ok());
    let status = code.and_then(|code| StatusCode::from_u16(code).ok());
    let mut response = Response::new(ResponseBody::Text(Bytes::from(denied.body)));
    *response.status_mut() = status.unwrap_or(StatusCode::FORBIDDEN);
    *response.headers_mut() = named(&denied.headers);
    response
}

/// The fields of an answer that may be passed on.
fn named(options: &[FieldOption]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let pair = |Field { name, value, raw }: &Field| {
        let value = if raw.is_empty() { value.as_bytes() } else { raw };
        Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_bytes(value).ok()?))
    };
    for (name, value) in options.iter().filter_map(|one| pair(one.field.as_ref()?)) {
        headers.append(name, value);
    }
    fields::remove_hop_by_hop(&mut headers);
    fields::remove_framing(&mut headers);
    headers.remove(HOST);
    headers
}

/// The method.
const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

/// A byte that says whether a message is compressed, and four for its length.
const PREFIX_BYTES: usize = 5;

#[cfg(test)]
mod tests;
