//! Leases: what was allowed once is judged again whenever the mesh changes.
//!
//! A lease is held by each request, upgraded stream and TCP connection for as long as it lives.
//!
//! **Invariant:** a lease is revoked only by policies that now deny it; a destination that vanished
//! leaves it alone.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    net::SocketAddr,
    rc::{Rc, Weak},
    task::{Context, Poll, Waker},
};

use crate::{
    mesh::request::{Peer, RequestHead},
    policy::{Subject, Verdict},
};

use super::{head::Head, respond::Fault, view::View};

/// A subject that was allowed.
pub(super) struct Lease {
    peer: Peer,
    destination: SocketAddr,
    head: Option<Head>,
    revoked: RefCell<Option<Fault>>,
    waker: Cell<Option<Waker>>,
}

impl Lease {
    /// A subject to judge again later; `head` is `None` for opaque TCP.
    pub(super) fn new(peer: Peer, destination: SocketAddr, head: Option<Head>) -> Self {
        Self { peer, destination, head, revoked: RefCell::default(), waker: Cell::default() }
    }

    /// Ready with the reason once the lease is revoked.
    pub(super) fn poll_revoked(&self, cx: &mut Context<'_>) -> Poll<Fault> {
        if let Some(fault) = &*self.revoked.borrow() {
            return Poll::Ready(fault.clone());
        }
        self.waker.set(Some(cx.waker().clone()));
        Poll::Pending
    }

    /// Waits until the lease is revoked.
    pub(super) async fn revoked(&self) -> Fault {
        poll_fn(|cx| self.poll_revoked(cx)).await
    }

    /// Judges the subject by a new view.
    fn review(&self, view: &View) {
        let Some(target) = view.target(self.destination) else {
            return;
        };
        let head = self.head.as_ref().map(|head| head as &dyn RequestHead);
        let subject = Subject { peer: &self.peer, destination: self.destination, head };
        if let Verdict::Deny { rule } = target.policies.judge(&subject) {
            self.revoked.replace(Some(Fault::Revoked(rule)));
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
    }
}

/// All leases of a worker.
#[derive(Default)]
pub(super) struct Leases(RefCell<Vec<Weak<Lease>>>);

impl Leases {
    /// Adds a lease, which counts until it is dropped.
    pub(super) fn grant(&self, lease: Lease) -> Rc<Lease> {
        let lease = Rc::new(lease);
        let mut all = self.0.borrow_mut();
        if all.len() == all.capacity() {
            // Instead of growing for leases that ended; what is left may use half of the room.
            all.retain(|lease| lease.strong_count() > 0);
            let live = all.len();
            all.reserve(live.max(LEASES_MIN));
        }
        all.push(Rc::downgrade(&lease));
        lease
    }

    /// Judges all leases by a new view, in pieces, so that requests go on meanwhile.
    pub(super) async fn review(&self, view: &View) {
        let all: Vec<Weak<Lease>> = self.0.borrow().clone();
        for piece in all.chunks(REVIEW_AT_ONCE) {
            for lease in piece.iter().filter_map(Weak::upgrade) {
                lease.review(view);
            }
            tokio::task::yield_now().await;
        }
    }
}

/// Room for leases that a worker begins with.
const LEASES_MIN: usize = 64;

/// Leases that are judged before requests get their turn.
const REVIEW_AT_ONCE: usize = 128;
