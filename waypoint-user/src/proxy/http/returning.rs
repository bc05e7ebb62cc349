//! The response that goes back to a client.

use std::time::Duration;

use http::{
    HeaderName, Response, StatusCode, Version,
    header::{CONTENT_LENGTH, UPGRADE},
};

use crate::route::Edits;

use super::{body::AnswerBody, fields};

/// Makes an endpoint's response fit to be passed on. Where there is no body, its length is only
/// told, and stays.
pub(super) fn edit(
    response: &mut Response<AnswerBody>,
    edits: &Edits<'_>,
    keeps_length: bool,
    service_time: Duration,
) {
    let upgraded = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    *response.version_mut() = Version::HTTP_11;
    let headers = response.headers_mut();
    let upgrade = headers.get(UPGRADE).cloned().filter(|_| upgraded);
    let length = headers.get(CONTENT_LENGTH).cloned().filter(|_| keeps_length);
    fields::remove_hop_by_hop(headers);
    fields::edit(headers, edits.response.iter().map(AsRef::as_ref));
    fields::remove_framing(headers);
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, length);
    }
    if let Some(upgrade) = upgrade {
        fields::set_upgrade(headers, upgrade);
    }
    headers.insert(&SERVICE_TIME, u64::try_from(service_time.as_millis()).unwrap_or(0).into());
}

/// How long the endpoint took, in milliseconds.
static SERVICE_TIME: HeaderName = HeaderName::from_static("x-envoy-upstream-service-time");
