//! An authority that learns of pods when a test wants it to.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use futures_util::future::BoxFuture;

use crate::identity::{Issued, Issuer, Refusal, SigningRequest, ca::Authority};

/// An authority that may not know yet for whom it is asked.
pub(super) struct Slow {
    pub(super) authority: Arc<Authority>,
    pub(super) knows: AtomicBool,
    pub(super) asked: AtomicUsize,
}

impl Slow {
    /// One that knows everybody.
    pub(super) fn of(authority: &Arc<Authority>) -> Arc<Self> {
        let (authority, asked) = (Arc::clone(authority), AtomicUsize::new(0));
        Arc::new(Self { authority, knows: AtomicBool::new(true), asked })
    }
}

impl Issuer for Arc<Slow> {
    fn issue(&self, request: SigningRequest) -> BoxFuture<'_, Result<Issued, Refusal>> {
        if self.knows.load(Ordering::SeqCst) {
            return self.authority.issue(request);
        }
        self.asked.fetch_add(1, Ordering::SeqCst);
        let refusal = Refusal::Refused("no such pod".to_owned());
        Box::pin(std::future::ready(Err(refusal)))
    }
}
