//! What is told of one request: what the access log has, and its place in a trace.

use std::{sync::Arc, time::UNIX_EPOCH};

use opentelemetry_proto::tonic::trace::v1::{
    self as otlp, Status, span::SpanKind, status::StatusCode,
};

use crate::{
    mesh::workload::Workload,
    telemetry::{access::Entry, metrics::traffic::ServiceLabels},
};

use super::{attributes, context::Context};

/// A request that ended and whose trace is kept.
#[derive(Clone, Debug)]
pub struct Span {
    /// Its place.
    pub context: Context,
    /// What the access log says of it.
    pub entry: Entry,
    /// Whether it was gRPC.
    pub is_grpc: bool,
    /// The gRPC status, if it had one.
    pub grpc_status: Option<u16>,
    /// The Service that it was sent to.
    pub service: ServiceLabels,
    /// The client's pod.
    pub source: Option<Arc<Workload>>,
    /// The pod that answered.
    pub destination: Option<Arc<Workload>>,
}

impl Span {
    /// The same with no text longer than [`TEXT_BYTES_MAX`], as clients choose what they say.
    #[must_use]
    pub fn shortened(mut self) -> Self {
        let entry = &mut self.entry;
        entry.x_forwarded_for = None;
        for text in [
            &mut entry.method,
            &mut entry.path,
            &mut entry.authority,
            &mut entry.user_agent,
            &mut entry.request_id,
            &mut entry.response_code_details,
            &mut entry.upstream_transport_failure_reason,
        ] {
            shorten(text);
        }
        self
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
        let method = attributes::method(self.entry.method.as_deref());
        let method = if method == attributes::OTHER { "HTTP" } else { method };
        format!("{method} {}", self.service.host)
    }

    /// The service and the method that are called, of gRPC.
    pub(super) fn called(&self) -> Option<(&str, &str)> {
        let path = self.path().filter(|_| self.is_grpc)?;
        path.strip_prefix('/')?.split_once('/')
    }

    /// The path, without what is asked of it.
    pub(super) fn path(&self) -> Option<&str> {
        self.entry.path.as_deref()?.split('?').next()
    }

    /// Whether it failed, and not by the client's doing.
    pub(super) fn failed(&self) -> bool {
        let blamed = self.entry.blame.is_some_and(|blame| blame != "client");
        let status = self.entry.response_code;
        let by_grpc = self.grpc_status.is_some_and(|code| GRPC_FAILURES.contains(&code));
        status >= 500 || by_grpc || (blamed && !(400..500).contains(&status))
    }
}

/// Cuts a text that is too long.
fn shorten(text: &mut Option<String>) {
    if let Some(text) = text.as_mut().filter(|text| text.len() > TEXT_BYTES_MAX) {
        text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
        text.shrink_to_fit();
    }
}

/// The longest text of a span; longer ones are cut.
pub const TEXT_BYTES_MAX: usize = 512;

/// The flags of a span (OTLP, `SpanFlags`).
const SAMPLED: u32 = 0b1;
const PARENT_KNOWN: u32 = 0x100;
const PARENT_REMOTE: u32 = 0x200;

/// What of gRPC is a server's failure: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL,
/// UNAVAILABLE and DATA_LOSS (OpenTelemetry, "Semantic conventions for gRPC").
const GRPC_FAILURES: [u16; 6] = [2, 4, 12, 13, 14, 15];

#[cfg(test)]
mod tests;
