//! How long an HTTP/1 connection may wait for a request, and a request for the rest of its head.
//!
//! Clients may keep connections idle, but cannot hold them with heads that never end.
//!
//! **Invariant:** neither time is extended by bytes that arrive slowly.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::proxy::limits::{HEAD_TIMEOUT, REQUEST_TIMEOUT};

/// The times of one connection. Its timer is set anew only when it fires or is too late, so that a
/// request costs none.
pub(super) struct Patience {
    sleep: Option<Pin<Box<Sleep>>>,
    until: Instant,
    hurried: bool,
}

impl Patience {
    pub(super) fn new() -> Self {
        Self { sleep: None, until: Instant::now() + REQUEST_TIMEOUT, hurried: false }
    }

    /// Begins to wait for a request.
    pub(super) fn renew(&mut self) {
        self.until = Instant::now() + REQUEST_TIMEOUT;
        self.hurried = false;
    }

    /// Begins to wait for the rest of a head, if it did not before.
    pub(super) fn hurry(&mut self) {
        if !std::mem::replace(&mut self.hurried, true) {
            self.until = self.until.min(Instant::now() + HEAD_TIMEOUT);
        }
    }

    /// Ready when the time is up.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let until = self.until;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if sleep.deadline() > until {
            sleep.as_mut().reset(until);
        }
        ready!(sleep.as_mut().poll(cx));
        while sleep.deadline() < until {
            sleep.as_mut().reset(until);
            ready!(sleep.as_mut().poll(cx));
        }
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests;
