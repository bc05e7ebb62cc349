//! What may be open to the endpoints of a cluster, as one of its endpoints knows it.
//!
//! The numbers are the process's; a worker that has no connection to the endpoints may open one all
//! the same, as it could not use another worker's.

use std::{cell::Cell, future::Future, rc::Rc, sync::Arc, time::Duration};

use tokio::time::timeout;

use crate::proxy::{
    regime::{Breaker, Permit},
    respond::Fault,
};

/// What may be open.
#[derive(Clone)]
pub(in crate::proxy) struct Bounds {
    breaker: Arc<Breaker>,
    connect_timeout: Option<Duration>,
    own: Rc<Cell<u32>>,
}

/// A connection that counts until this is dropped.
pub(in crate::proxy) struct Held {
    _permit: Option<Permit>,
    breaker: Arc<Breaker>,
    own: Rc<Cell<u32>>,
}

/// What a request that waited for a connection gets.
pub(in crate::proxy) enum Turn<T> {
    /// One that came free.
    Kept(T),
    /// A new one may be opened; the request counts as waiting meanwhile.
    New(Held, Permit),
}

impl Bounds {
    pub(super) fn new(
        breaker: Arc<Breaker>,
        connect_timeout: Option<Duration>,
        own: Rc<Cell<u32>>,
    ) -> Self {
        Self { breaker, connect_timeout, own }
    }

    /// One more request.
    pub(in crate::proxy) fn request(&self) -> Result<Permit, Fault> {
        self.breaker.request().ok_or(Fault::Overflow)
    }

    /// One more request that was sent before.
    pub(in crate::proxy) fn retry(&self) -> Option<Permit> {
        self.breaker.retry()
    }

    /// One more connection.
    pub(in crate::proxy) fn connection(&self) -> Option<Held> {
        let permit = self.breaker.connection();
        if permit.is_none() && self.own.get() > 0 {
            return None;
        }
        self.own.set(self.own.get().saturating_add(1));
        let (breaker, own) = (Arc::clone(&self.breaker), Rc::clone(&self.own));
        Some(Held { _permit: permit, breaker, own })
    }

    /// Waits until there is a connection: one that `kept` finds, or a new one.
    pub(in crate::proxy) async fn turn<T>(
        &self,
        kept: impl Fn() -> Option<T>,
    ) -> Result<Turn<T>, Fault> {
        let pending = self.breaker.pending().ok_or(Fault::Overflow)?;
        loop {
            if let Some(held) = self.connection() {
                return Ok(Turn::New(held, pending));
            }
            self.breaker.freed().await;
            if let Some(kept) = kept() {
                return Ok(Turn::Kept(kept));
            }
        }
    }

    /// Connects in time.
    pub(in crate::proxy) async fn connect<T>(
        &self,
        connecting: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        match self.connect_timeout {
            None => connecting.await,
            Some(time) => timeout(time, connecting).await.unwrap_or(Err(Fault::ConnectTimeout)),
        }
    }
}

impl Held {
    /// It can be used by somebody else now.
    pub(in crate::proxy) fn idle(&self) {
        self.breaker.idle();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.own.set(self.own.get().saturating_sub(1));
    }
}
