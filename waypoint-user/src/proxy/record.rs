//! What is told of a request when it ends: one line of the access log, and the metrics.
//!
//! **Invariant:** every request is told exactly once, however it ends: a record that is dropped
//! before its request ended tells that the client went away.

use std::{cell::Cell, rc::Rc, sync::Arc, time::SystemTime};

use http::HeaderMap;
use tokio::time::Instant;

use crate::{
    mesh::{request::Peer, workload::Workload},
    telemetry::{
        access::Entry,
        metrics::traffic::{NO_FLAG, Outcome, Protocol, Sample, ServiceLabels},
    },
};

use super::{
    connection::Connection,
    overload::Admitted,
    respond::Fault,
    view::{Destination, Target},
};

/// A request that is under way.
pub(super) struct Record {
    /// The status; zero while no response was begun.
    pub(super) status: u16,
    /// Bytes of the response's body so far.
    pub(super) sent: u64,
    /// How metrics name its destination.
    pub(super) labels: Rc<ServiceLabels>,
    /// The pod that answers.
    pub(super) workload: Option<Arc<Workload>>,
    /// Bytes of the request's body so far.
    pub(super) received: Rc<Cell<u64>>,
    /// Bytes of the heads of the request and the response.
    pub(super) head_bytes: (u64, u64),
    /// The gRPC status; `None` within unless the response had one.
    pub(super) grpc_status: Option<u16>,
    /// Whether it is gRPC.
    pub(super) is_grpc: bool,
    /// Whether it came by HTTP/2.
    pub(super) is_http2: bool,
    /// The response flag of what went as it should, but not as it was hoped; empty for none.
    pub(super) flag: &'static str,
    /// Counts it as under way.
    pub(super) admitted: Option<Admitted>,
    /// What is logged of it, unless nothing is.
    entry: Option<Box<Entry>>,
    connection: Rc<Connection>,
    peer: Peer,
    began: Instant,
    fault: Option<Fault>,
    told: bool,
}

impl Record {
    /// A record that begins now.
    pub(super) fn new(connection: &Rc<Connection>, peer: Peer, target: Option<&Target>) -> Self {
        let entry = connection.worker.log.is_on().then(|| {
            let mut entry = Entry::new(SystemTime::now(), connection.remote, connection.local);
            describe(&mut entry, &peer, target);
            Box::new(entry)
        });
        Self {
            status: 0,
            sent: 0,
            labels: target.map(|target| Rc::clone(&target.labels)).unwrap_or_default(),
            workload: None,
            received: Rc::default(),
            head_bytes: (0, 0),
            grpc_status: None,
            is_grpc: false,
            is_http2: false,
            flag: "",
            admitted: None,
            entry,
            connection: Rc::clone(connection),
            peer,
            began: Instant::now(),
            fault: None,
            told: false,
        }
    }

    /// Notes what is only logged.
    pub(super) fn note(&mut self, note: impl FnOnce(&mut Entry)) {
        if let Some(entry) = &mut self.entry {
            note(entry);
        }
    }

    /// Notes what went wrong; the first fault counts.
    pub(super) fn fail(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    /// Notes the gRPC status that a block of fields may hold.
    pub(super) fn see_grpc_status(&mut self, fields: &HeaderMap) {
        if let Some(status) = fields.get("grpc-status") {
            let code = status.to_str().ok().and_then(|text| text.parse().ok());
            // What is no code is UNKNOWN (gRPC `doc/PROTOCOL-HTTP2.md`).
            self.grpc_status = Some(code.filter(|code| *code <= GRPC_CODE_MAX).unwrap_or(2));
        }
    }

    /// What went wrong, in a word.
    fn flag(&self) -> &'static str {
        match &self.fault {
            Some(Fault::Injected(_)) if self.flag == DELAYED => DELAYED_AND_ABORTED,
            Some(fault) => fault.row().flag,
            None => self.flag,
        }
    }

    /// Tells that the request ended.
    pub(super) fn finish(mut self) {
        self.tell();
    }

    fn tell(&mut self) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        let (duration, received) = (self.began.elapsed(), self.received.get());
        let flag = self.flag();
        let flag = if flag.is_empty() { NO_FLAG } else { flag };
        let protocol = if self.is_grpc { Protocol::Grpc } else { Protocol::Http };
        let meters = &self.connection.meters;
        let meter = meters.meter(&self.peer, &self.labels, self.workload.as_ref(), protocol);
        let (request_head, response_head) = self.head_bytes;
        meter.request(
            Outcome { status: self.status, grpc: self.grpc_status, flag },
            &Sample {
                duration,
                request_bytes: request_head + received,
                response_bytes: response_head + self.sent,
            },
        );
        let Some(mut entry) = self.entry.take() else { return };
        if let Some(fault) = &self.fault {
            entry.blame = Some(fault.row().blame.as_str());
            entry.response_code_details = Some(fault.to_string().into());
            entry.upstream_transport_failure_reason = fault.transport_failure();
        }
        entry.response_code = self.status;
        entry.response_flags = Some(flag);
        entry.destination_workload = self.workload.take();
        (entry.bytes_received, entry.bytes_sent) = (received, self.sent);
        entry.duration = duration;
        self.connection.worker.log.record(entry);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if !self.told {
            let cutting = self.connection.worker.is_cutting();
            self.fail(if cutting { Fault::Drained } else { Fault::ClientGone });
            self.tell();
        }
    }
}

/// Notes who asks and what is asked for.
pub(super) fn describe(entry: &mut Entry, peer: &Peer, target: Option<&Target>) {
    entry.source_workload.clone_from(&peer.workload);
    entry.source_principal.clone_from(&peer.identity);
    if let Some(target) = target {
        entry.waypoint = Some(Arc::clone(&target.waypoint));
        if let Destination::Service(service, _) = &target.destination {
            entry.destination_service = Some(Arc::clone(service));
        }
    }
}

/// Bytes of a block of fields, as HTTP/1 writes them.
pub(super) fn field_bytes(fields: &HeaderMap) -> u64 {
    let len = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        name.as_str().len() + value.len() + FIELD_OVERHEAD_BYTES
    };
    fields.iter().map(len).sum::<usize>() as u64
}

/// The colon, the space and the end of the line of a field.
const FIELD_OVERHEAD_BYTES: usize = 4;

/// The response flag of requests that a policy had wait.
pub(super) const DELAYED: &str = "DI";
/// That of those that it then aborted.
const DELAYED_AND_ABORTED: &str = "DI,FI";

/// The largest gRPC status code.
const GRPC_CODE_MAX: u16 = 16;
