//! By HTTP: 200 lets a request pass, with fields of the answer; anything else is the client's
//! answer.

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Request, Response, StatusCode, Uri,
    header::{AUTHORIZATION, HOST},
    uri::PathAndQuery,
};

use crate::{
    mesh::{request::RequestHead, route::ExternalAuth},
    proxy::head::HeadRef,
};

use super::{
    super::{RequestBody, body::ResponseBody, fields},
    Answer, Granted, Outgoing, PARTIAL_BODY, Verdict, outgoing,
};

/// The head of the request below another path, with its body where that is shown; `None` where that
/// is no question about this request.
pub(super) fn question(
    auth: &ExternalAuth,
    below: &str,
    head: &HeadRef<'_>,
    shown: Option<Bytes>,
) -> Option<Outgoing> {
    let query = head.query().map(|query| format!("?{query}")).unwrap_or_default();
    let path = format!("{}{}{query}", below.trim_end_matches('/'), head.path());
    let target: PathAndQuery = path.parse().ok()?;
    if target.as_str() != path || target.query() != head.query() {
        return None;
    }
    let mut request = Request::new(());
    *request.method_mut() = head.method().parse().ok()?;
    *request.uri_mut() = Uri::from(target);
    let headers = request.headers_mut();
    let told = auth.told.iter().filter_map(|name| name.parse::<HeaderName>().ok());
    for name in told.chain([AUTHORIZATION]) {
        for value in head.fields().get_all(&name) {
            headers.append(&name, value.clone());
        }
    }
    if shown.is_some() {
        headers.insert(PARTIAL_BODY, HeaderValue::from_static("false"));
    }
    let body = shown.filter(|shown| !shown.is_empty());
    let body = body.map_or_else(RequestBody::empty, RequestBody::bytes);
    Some(outgoing(request.into_parts().0, body, head.authority()))
}

/// What the answer means; the request gets the fields of these names, or all where none is named.
pub(super) fn verdict(answer: Answer, gets: &[String]) -> Verdict {
    let Answer { head, body, .. } = answer;
    let mut headers = head.headers;
    fields::remove_hop_by_hop(&mut headers);
    fields::remove_framing(&mut headers);
    if head.status != StatusCode::OK {
        let mut response = Response::new(ResponseBody::Text(body));
        (*response.status_mut(), *response.headers_mut()) = (head.status, headers);
        return Verdict::Refuse(response);
    }
    headers.remove(HOST);
    let named = |name: &HeaderName| gets.is_empty() || gets.iter().any(|one| one == name.as_str());
    let others: Vec<_> = headers.keys().filter(|name| !named(name)).cloned().collect();
    for name in others {
        headers.remove(name);
    }
    Verdict::Pass(Granted { set: headers, removed: Vec::new() })
}
