//! How long a request may go on until it is answered, whatever is done for it meanwhile.
//!
//! What ends a response that has begun, its body says.

use std::{future::Future, pin::Pin};

use crate::proxy::{lease::Lease, respond::Fault};

use super::{
    deadline::{Until, within},
    idle::Idle,
};

/// What lets a request go on.
pub(super) struct Stay<'a> {
    /// When its response must have come to its end.
    pub(super) until: Option<Until>,
    /// What ends it when nothing moves.
    pub(super) idle: Option<Idle>,
    /// What holds as long as nobody denies it.
    pub(super) lease: &'a Lease,
}

impl Stay<'_> {
    /// Does something for the request as long as it may go on. It is pinned by the caller, as for
    /// [`within`].
    pub(super) async fn during<T>(
        &mut self,
        doing: Pin<&mut impl Future<Output = Result<T, Fault>>>,
    ) -> Result<T, Fault> {
        tokio::select! {
            // Who is denied gets nothing done, not even what is done by now.
            biased;
            fault = self.lease.revoked() => Err(fault),
            done = within(self.until, doing) => done,
            fault = Idle::over(&mut self.idle) => Err(fault),
        }
    }
}
