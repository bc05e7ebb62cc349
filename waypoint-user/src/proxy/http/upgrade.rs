//! A connection that changed its protocol (RFC 9110 section 7.8), for example to WebSocket; or the
//! stream of one (RFC 8441).
//!
//! **Invariant:** it lives until both sides ended it or one broke it, its policies deny it, its
//! time or its patience is over, or a drain's deadline passes.

use std::{
    cell::Cell,
    future::poll_fn,
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::proxy::{
    lease::Lease,
    record::Record,
    respond::Fault,
    tcp::copy::{Count, Ended, copy_both},
};

use super::{
    deadline::Deadline,
    forward::{Carrier, Changed},
    idle::Idle,
    rewind::Rewind,
};

/// An endpoint's side of a connection that changes its protocol.
pub(in crate::proxy) struct Tunnel {
    pub(super) upstream: Carrier,
    pub(super) record: Record,
    pub(super) lease: Rc<Lease>,
    /// When it must have ended, if ever.
    pub(super) deadline: Option<Deadline>,
    /// What ends it when nothing moves, if anything does.
    pub(super) idle: Option<Idle>,
}

impl Tunnel {
    /// Copies between it and the client, of which `first` was read, until the end; then tells of
    /// the request.
    pub(super) async fn run(
        mut self: Box<Self>,
        client: impl AsyncRead + AsyncWrite + Unpin,
        first: Bytes,
    ) {
        let moved = Moved { received: Rc::clone(&self.record.received), sent: Cell::new(0) };
        let fault = match self.upstream.take_stream() {
            Some(Changed::Connection(stream, ahead)) => {
                self.copy((client, first), Rewind::new(stream, ahead), &moved).await
            }
            Some(Changed::Stream(stream)) => self.copy((client, first), stream, &moved).await,
            None => Some(Fault::UpstreamProtocol),
        };
        let mut record = self.record;
        record.sent += moved.sent.get();
        if let Some(fault) = fault {
            record.fail(fault);
        }
        record.finish();
    }

    /// Copies to the end.
    async fn copy(
        &mut self,
        (mut client, first): (impl AsyncRead + AsyncWrite + Unpin, Bytes),
        mut upstream: impl AsyncRead + AsyncWrite + Unpin,
        moved: &Moved,
    ) -> Option<Fault> {
        let Self { lease, deadline, idle, .. } = self;
        let mut watch = Watch { deadline, idle, seen: moved.so_far() };
        tokio::select! {
            ended = copy_both(&mut client, &mut upstream, first, moved) => match ended {
                Ended::Both => None,
                Ended::ClientReset => Some(Fault::ClientGone),
                Ended::UpstreamReset => Some(Fault::UpstreamCut),
            },
            fault = lease.revoked() => Some(fault),
            fault = poll_fn(|cx| watch.poll(moved, cx)) => Some(fault),
        }
    }
}

/// What ends it though both sides would go on.
struct Watch<'a> {
    deadline: &'a mut Option<Deadline>,
    idle: &'a mut Option<Idle>,
    /// How much had moved when that was looked at.
    seen: (u64, u64),
}

impl Watch<'_> {
    fn poll(&mut self, moved: &Moved, cx: &mut Context<'_>) -> Poll<Fault> {
        if let Some(deadline) = self.deadline
            && let Poll::Ready(fault) = deadline.poll(cx)
        {
            return Poll::Ready(fault);
        }
        let Some(idle) = self.idle else { return Poll::Pending };
        let seen = moved.so_far();
        if std::mem::replace(&mut self.seen, seen) != seen {
            idle.heard();
        }
        idle.poll(cx)
    }
}

/// Bytes that were copied.
struct Moved {
    /// From the client, with those of its request.
    received: Rc<Cell<u64>>,
    /// To the client.
    sent: Cell<u64>,
}

impl Moved {
    /// How much moved either way.
    fn so_far(&self) -> (u64, u64) {
        (self.received.get(), self.sent.get())
    }
}

impl Count for Moved {
    fn sent_on(&self, bytes: u64) {
        self.received.set(self.received.get() + bytes);
    }

    fn sent_back(&self, bytes: u64) {
        self.sent.set(self.sent.get() + bytes);
    }
}
