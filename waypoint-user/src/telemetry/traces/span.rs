//! What is told of one request: what the access log has, and its place in a trace.

use std::{borrow::Cow, time::UNIX_EPOCH};

use http::{HeaderValue, Method};
use opentelemetry_proto::tonic::trace::v1::{
    self as otlp, Status, span::SpanKind, status::StatusCode,
};

use crate::telemetry::{access::Entry, metrics::traffic::ServiceLabels};

use super::{attributes, context::Context};

/// A request that ended and whose trace is kept.
#[derive(Clone, Debug)]
pub struct Span {
    /// Its place.
    pub(super) context: Context,
    /// What the access log says of it, but for the path.
    pub(super) entry: Entry,
    /// The path, without what is asked of it.
    pub(super) path: Option<String>,
    /// Whether it was gRPC, and the status, if it had one.
    pub(super) is_grpc: bool,
    pub(super) grpc_status: Option<u16>,
    /// The Service that it was sent to.
    pub(super) service: ServiceLabels,
}

impl Span {
    /// A span of which the access log has the entry. What a client chose is copied, and no longer
    /// than [`TEXT_BYTES_MAX`], so that what waits does not hold whole requests.
    pub fn new(
        context: Context,
        mut entry: Entry,
        service: ServiceLabels,
        (is_grpc, grpc_status): (bool, Option<u16>),
    ) -> Self {
        let path = entry.path.take().map(|path| shortened(path.path()));
        entry.x_forwarded_for = None;
        entry.user_agent = entry.user_agent.as_ref().and_then(copied);
        entry.request_id = entry.request_id.as_ref().and_then(copied);
        entry.authority = entry.authority.as_deref().map(shortened);
        let details = entry.response_code_details.as_deref().map(shortened);
        entry.response_code_details = details.map(Cow::Owned);
        let method = entry.method.take();
        let fits = |method: &Method| method.as_str().len() <= METHOD_BYTES_MAX;
        // A method that long is nobody's.
        entry.method = method.filter(fits);
        Self { context, entry, path, is_grpc, grpc_status, service }
    }

    /// As a collector is told of it.
    pub(super) fn to_otlp(&self) -> otlp::Span {
        let start = self.entry.start.duration_since(UNIX_EPOCH).unwrap_or_default();
        let end = start + self.entry.duration;
        let nanos = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let context = &self.context;
        let parent = context.parent.map(|parent| parent.to_be_bytes().to_vec());
        let followed = if parent.is_some() { PARENT_KNOWN | PARENT_REMOTE } else { PARENT_KNOWN };
        let code = if self.failed() { StatusCode::Error } else { StatusCode::Unset };
        otlp::Span {
            trace_id: context.trace.to_be_bytes().to_vec(),
            span_id: context.span.to_be_bytes().to_vec(),
            parent_span_id: parent.unwrap_or_default(),
            flags: SAMPLED | followed,
            name: self.name(),
            kind: SpanKind::Server.into(),
            start_time_unix_nano: nanos(start),
            end_time_unix_nano: nanos(end),
            attributes: attributes::of(self),
            status: Some(Status { message: String::new(), code: code.into() }),
            ..otlp::Span::default()
        }
    }

    /// Its name, of which there are few: the method, and the Service. Calls of gRPC are named after
    /// what is called.
    fn name(&self) -> String {
        if let Some((service, method)) = self.called() {
            return format!("{service}/{method}");
        }
        let method = attributes::method(self.entry.method.as_ref());
        let method = if method == attributes::OTHER { "HTTP" } else { method };
        format!("{method} {}", self.service.host)
    }

    /// The service and the method that are called, of gRPC.
    pub(super) fn called(&self) -> Option<(&str, &str)> {
        let path = self.path.as_deref().filter(|_| self.is_grpc)?;
        path.strip_prefix('/')?.split_once('/')
    }

    /// Whether it failed, and not by the client's doing.
    pub(super) fn failed(&self) -> bool {
        let blamed = self.entry.blame.is_some_and(|blame| blame != "client");
        let status = self.entry.response_code;
        let by_grpc = self.grpc_status.is_some_and(|code| GRPC_FAILURES.contains(&code));
        status >= 500 || by_grpc || (blamed && !(400..500).contains(&status))
    }
}

/// A copy of a text, cut where it is too long.
fn shortened(text: &str) -> String {
    text.get(..text.floor_char_boundary(TEXT_BYTES_MAX)).unwrap_or_default().to_owned()
}

/// A copy of a value that holds nothing of the request that it came with.
fn copied(value: &HeaderValue) -> Option<HeaderValue> {
    let bytes = value.as_bytes();
    HeaderValue::from_bytes(bytes.get(..TEXT_BYTES_MAX).unwrap_or(bytes)).ok()
}

/// The longest text of a span; longer ones are cut.
pub const TEXT_BYTES_MAX: usize = 512;
/// The longest method that is told.
const METHOD_BYTES_MAX: usize = 64;

/// The flags of a span (OTLP, `SpanFlags`).
const SAMPLED: u32 = 0b1;
const PARENT_KNOWN: u32 = 0x100;
const PARENT_REMOTE: u32 = 0x200;

/// What of gRPC is a server's failure: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL,
/// UNAVAILABLE and DATA_LOSS (OpenTelemetry, "Semantic conventions for gRPC").
const GRPC_FAILURES: [u16; 6] = [2, 4, 12, 13, 14, 15];

#[cfg(test)]
mod tests;
