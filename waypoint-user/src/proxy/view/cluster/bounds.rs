//! What may be open to the endpoints of a cluster, as one of its endpoints knows it.
//!
//! The numbers are the process's; a worker that has no connection to the endpoints may open one all
//! the same, as it could not use another worker's.
//!
//! **Invariant:** nobody waits for a connection while this worker has one to the endpoints that
//! nobody uses.

use std::{cell::Cell, future::Future, pin::pin, rc::Rc, sync::Arc, time::Duration};

use tokio::{sync::Notify, time::timeout};

use crate::proxy::{
    regime::{Breaker, Permit},
    respond::Fault,
};

/// What may be open.
#[derive(Clone)]
pub(in crate::proxy) struct Bounds {
    breaker: Arc<Breaker>,
    connect_timeout: Option<Duration>,
    own: Rc<Own>,
}

/// The connections that a worker has to the endpoints of a Service's port, as far as they count.
#[derive(Default)]
pub(in crate::proxy) struct Own {
    open: Cell<u32>,
    /// How many of them nobody uses.
    resting: Cell<u32>,
    changed: Notify,
}

/// A connection that counts until this is dropped.
pub(in crate::proxy) struct Held {
    _permit: Option<Permit>,
    rests: Cell<bool>,
    own: Rc<Own>,
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
        own: Rc<Own>,
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
        if permit.is_none() && self.own.open.get() > 0 {
            return None;
        }
        self.own.open.set(self.own.open.get().saturating_add(1));
        Some(Held { _permit: permit, rests: Cell::new(false), own: Rc::clone(&self.own) })
    }

    /// Whether it is one of these connections.
    pub(in crate::proxy) fn count(&self, held: &Held) -> bool {
        Rc::ptr_eq(&self.own, &held.own)
    }

    /// Waits until there is a connection: one that `kept` finds, or a new one. For that, `close`
    /// ends one that nobody uses, to whichever endpoint it leads.
    pub(in crate::proxy) async fn turn<T>(
        &self,
        kept: impl Fn() -> Option<T>,
        close: impl Fn(),
    ) -> Result<Turn<T>, Fault> {
        let pending = self.breaker.pending().ok_or(Fault::Overflow)?;
        loop {
            // Who looks after this hears of all that changes later.
            let mut freed = pin!(self.breaker.freed());
            let mut changed = pin!(self.own.changed.notified());
            freed.as_mut().enable();
            changed.as_mut().enable();
            if let Some(kept) = kept() {
                // What was freed meanwhile is somebody else's.
                self.breaker.pass_on();
                return Ok(Turn::Kept(kept));
            }
            let held = self.connection().or_else(|| {
                if self.own.resting.get() > 0 {
                    close();
                }
                self.connection()
            });
            if let Some(held) = held {
                return Ok(Turn::New(held, pending));
            }
            tokio::select! {
                () = freed => {}
                () = changed => {}
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
    /// Nobody uses it now: somebody else may, or may close it for another.
    pub(in crate::proxy) fn rest(&self) {
        if !self.rests.replace(true) {
            self.own.resting.set(self.own.resting.get().saturating_add(1));
        }
        self.own.changed.notify_waiters();
    }

    /// Somebody uses it.
    pub(in crate::proxy) fn work(&self) {
        if self.rests.replace(false) {
            self.own.resting.set(self.own.resting.get().saturating_sub(1));
        }
    }

    /// It has room for one more.
    pub(in crate::proxy) fn has_room(&self) {
        self.own.changed.notify_waiters();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.work();
        self.own.open.set(self.own.open.get().saturating_sub(1));
        self.own.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests;
