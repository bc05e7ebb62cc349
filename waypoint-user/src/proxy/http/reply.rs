//! Answers of our own.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use crate::{
    mesh::traffic_policy::AbortStatus,
    proxy::{
        record::{Record, field_bytes},
        respond::{AUTH_DENIED, Fault},
    },
};

use super::body::ResponseBody;

/// Answers a request that was not forwarded, or in vain, and tells of it. A gRPC client gets
/// trailers without a body, because it looks nowhere else.
pub(super) fn refuse(mut record: Record, fault: Fault) -> Response<ResponseBody> {
    let fault = match fault {
        // Before the response began, it can still be told as if it had been denied from the start.
        Fault::Revoked(rule) => Fault::Denied(rule),
        fault => fault,
    };
    let body = fault.body();
    let as_grpc = record.is_grpc || matches!(fault, Fault::Injected(AbortStatus::Grpc(_)));
    let mut response = if as_grpc {
        grpc_status(fault.grpc_status(), &body)
    } else {
        plain(fault.row().status, body.into_owned())
    };
    let headers = response.headers_mut();
    headers.insert(header::SERVER, HeaderValue::from_static("waypoint"));
    headers.extend(fault.fields());
    if matches!(fault, Fault::BadRequest(_)) && !record.is_http2 {
        // What comes after a malformed request cannot be told from it.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    record.grpc_status = as_grpc.then(|| fault.grpc_status());
    record.fail(fault);
    tell(record, &response);
    response
}

/// Answers as a rule says, and tells of it.
pub(super) fn direct(
    mut record: Record,
    mut response: Response<ResponseBody>,
) -> Response<ResponseBody> {
    response.headers_mut().insert(header::SERVER, HeaderValue::from_static("waypoint"));
    let details = if record.flag.is_empty() { "direct_response" } else { AUTH_DENIED };
    record.note(|entry| entry.response_code_details = Some(details.into()));
    tell(record, &response);
    response
}

/// Tells of a response of our own.
fn tell(mut record: Record, response: &Response<ResponseBody>) {
    record.status = response.status().as_u16();
    record.head_bytes.1 = field_bytes(response.headers());
    if let ResponseBody::Text(text) = response.body() {
        record.sent = text.len() as u64;
    }
    record.finish();
}

/// A response with a text. What has no status is told to nobody any more; any will do.
fn plain(status: u16, text: String) -> Response<ResponseBody> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let is_text = !text.is_empty();
    let mut response = Response::new(ResponseBody::Text(Bytes::from(text)));
    *response.status_mut() = status;
    if is_text {
        let plain = HeaderValue::from_static("text/plain");
        response.headers_mut().insert(header::CONTENT_TYPE, plain);
    }
    response
}

/// A gRPC status without a message body (gRPC `doc/PROTOCOL-HTTP2.md`, Trailers-Only).
fn grpc_status(status: u16, message: &str) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::Empty);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from(status));
    if let Ok(message) = HeaderValue::from_str(&percent_encoded(message)) {
        headers.insert("grpc-message", message);
    }
    response
}

/// A gRPC message: all but printable ASCII, and `%`, as `%` and two digits.
fn percent_encoded(message: &str) -> String {
    let mut encoded = String::with_capacity(message.len());
    for byte in message.bytes() {
        if (b' '..=b'~').contains(&byte) && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            // Writing into a String has nothing that could go wrong.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests;
