//! A connection that changed its protocol (RFC 9110 section 7.8), for example to WebSocket.
//!
//! **Invariant:** it lives until one side ends it, its policies deny it, or a drain's deadline
//! passes.

use std::{cell::Cell, rc::Rc};

use hyper::{body::Bytes, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;

use crate::{
    proxy::{
        lease::Lease,
        record::Record,
        respond::Fault,
        tcp::copy::{Count, Ended, copy_both},
    },
    telemetry::task,
};

use super::{forward::Carrier, patience::Patience, rewind::Rewind};

/// Both sides of a connection that changes its protocol.
pub(super) struct Sides {
    pub(super) client: OnUpgrade,
    pub(super) upstream: Carrier,
}

impl Sides {
    /// Copies between the sides, as soon as both changed, until the end; then tells of the request.
    pub(super) fn join(self, mut record: Record, lease: Rc<Lease>) {
        task::spawn_local("upgrade", async move {
            let counted = Counted::default();
            let fault = self.copy(&lease, &counted).await;
            record.received.set(record.received.get() + counted.from_client.get());
            record.sent += counted.to_client.get();
            if let Some(fault) = fault {
                record.fail(fault);
            }
            record.finish();
        });
    }

    /// Copies to the end.
    async fn copy(self, lease: &Lease, counted: &Counted) -> Option<Fault> {
        let Ok(client) = self.client.await else { return Some(Fault::ClientGone) };
        let Some((upstream, first)) = self.upstream.take_stream() else {
            return Some(Fault::UpstreamProtocol);
        };
        let mut client = TokioIo::new(client);
        let mut upstream = Rewind::new(upstream, first, Patience::default());
        let copied = copy_both(&mut client, &mut upstream, Bytes::new(), counted);
        tokio::select! {
            ended = copied => match ended {
                Ended::Both => None,
                Ended::ClientReset => Some(Fault::ClientGone),
                Ended::UpstreamReset => Some(Fault::UpstreamCut),
            },
            fault = lease.revoked() => Some(fault),
        }
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
