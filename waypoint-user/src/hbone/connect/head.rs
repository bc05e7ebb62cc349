//! The head as fields of HTTP.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};

use super::{Authority, Baggage, Connect, Forwarded, trace};
use crate::{hbone::Error, http2::RequestHead, mesh::spiffe::SpiffeId};

const BAGGAGE: HeaderName = HeaderName::from_static("baggage");
const CLIENT: HeaderName = HeaderName::from_static("waypoint-client");
const FORWARDED: HeaderName = http::header::FORWARDED;
const SOURCE: HeaderName = HeaderName::from_static("waypoint-source");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const VIA: HeaderName = HeaderName::from_static("x-istio-source");

/// Longest identity that is read (SPIFFE-ID 2.3).
const IDENTITY_BYTES_MAX: usize = 2048;

/// Longest kind of proxy that is kept.
const VIA_BYTES_MAX: usize = 64;

/// What a request asks for; `None` where it is no CONNECT, or goes nowhere.
pub(in crate::hbone) fn read(head: &RequestHead) -> Option<Connect> {
    if head.method != Method::CONNECT || head.protocol.is_some() {
        return None;
    }
    let authority = Authority::parse(head.target.authority()?.as_str())?;
    let fields = &head.headers;
    let trace = once(fields, &TRACEPARENT).filter(|text| trace::is_valid(text));
    Some(Connect {
        authority,
        forwarded: once(fields, &FORWARDED).and_then(Forwarded::parse),
        baggage: once(fields, &BAGGAGE).map(Baggage::parse).unwrap_or_default(),
        traceparent: trace.map(str::to_owned),
        client: identity(fields, &CLIENT),
        source: identity(fields, &SOURCE),
        via: once(fields, &VIA).filter(|via| via.len() <= VIA_BYTES_MAX).map(str::to_owned),
    })
}

/// The request that asks for a stream.
pub(in crate::hbone) fn write(connect: &Connect) -> Result<Request<()>, Error> {
    let mut request = Request::new(());
    *request.method_mut() = Method::CONNECT;
    let authority = connect.authority.to_string();
    let unwritable = |_| Error::Connect(format!("`{authority}` is no authority; see who gave it"));
    *request.uri_mut() = authority.parse::<Uri>().map_err(unwritable)?;
    let baggage = (!connect.baggage.is_empty()).then(|| connect.baggage.to_string());
    let fields = [
        (FORWARDED, connect.forwarded.as_ref().map(ToString::to_string)),
        (BAGGAGE, baggage),
        (TRACEPARENT, connect.traceparent.clone()),
        (CLIENT, connect.client.as_ref().map(ToString::to_string)),
        (SOURCE, connect.source.as_ref().map(ToString::to_string)),
        (VIA, connect.via.clone()),
    ];
    for (name, text) in fields {
        let Some(text) = text else { continue };
        let unwritable = |_| Error::Connect(format!("`{text}` cannot be written as `{name}`"));
        let value = HeaderValue::from_str(&text).map_err(unwritable)?;
        request.headers_mut().insert(name, value);
    }
    Ok(request)
}

/// The value of a field that is there once.
fn once<'f>(fields: &'f HeaderMap, name: &HeaderName) -> Option<&'f str> {
    let mut values = fields.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_none() { value.to_str().ok() } else { None }
}

fn identity(fields: &HeaderMap, name: &HeaderName) -> Option<Arc<SpiffeId>> {
    let uri = once(fields, name).filter(|uri| uri.len() <= IDENTITY_BYTES_MAX)?;
    SpiffeId::parse(uri).map(Arc::new)
}
