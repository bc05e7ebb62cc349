//! A connection that changed its protocol (RFC 9110 section 7.8), for example to WebSocket.
//!
//! **Invariant:** it lives until one side ends it, its policies deny it, or a drain's deadline
//! passes.

use std::{cell::Cell, rc::Rc};

use bytes::Bytes;

use crate::proxy::{
    lease::Lease,
    record::Record,
    respond::Fault,
    stream::Stream,
    tcp::copy::{Count, Ended, copy_both},
};

use super::{forward::Carrier, rewind::Rewind};

/// An endpoint's side of a connection that changes its protocol.
pub(in crate::proxy) struct Tunnel {
    pub(super) upstream: Carrier,
    pub(super) record: Record,
    pub(super) lease: Rc<Lease>,
}

impl Tunnel {
    /// Copies between it and the client, of which `first` was read, until the end; then tells of
    /// the request.
    pub(super) async fn run(self, client: Stream, first: Bytes) {
        let Self { upstream, mut record, lease } = self;
        let counted = Counted::default();
        let fault = copy((client, first), &upstream, &lease, &counted).await;
        record.received.set(record.received.get() + counted.from_client.get());
        record.sent += counted.to_client.get();
        if let Some(fault) = fault {
            record.fail(fault);
        }
        record.finish();
    }
}

/// Copies to the end.
async fn copy(
    (mut client, first): (Stream, Bytes),
    upstream: &Carrier,
    lease: &Lease,
    counted: &Counted,
) -> Option<Fault> {
    let Some((upstream, ahead)) = upstream.take_stream() else {
        return Some(Fault::UpstreamProtocol);
    };
    let mut upstream = Rewind::new(upstream, ahead);
    tokio::select! {
        ended = copy_both(&mut client, &mut upstream, first, counted) => match ended {
            Ended::Both => None,
            Ended::ClientReset => Some(Fault::ClientGone),
            Ended::UpstreamReset => Some(Fault::UpstreamCut),
        },
        fault = lease.revoked() => Some(fault),
    }
}

/// Bytes that were copied.
#[derive(Default)]
struct Counted {
    from_client: Cell<u64>,
    to_client: Cell<u64>,
}

impl Count for Counted {
    fn sent_on(&self, bytes: u64) {
        self.from_client.set(self.from_client.get() + bytes);
    }

    fn sent_back(&self, bytes: u64) {
        self.to_client.set(self.to_client.get() + bytes);
    }
}
