//! How long an HTTP/1 connection may wait for a request, and a request for the rest of its head.
//!
//! hyper knows one time for both, from the end of the last response on. Here the stream tells when
//! bytes arrive, and from then on the shorter time counts: clients may keep connections idle, but
//! cannot hold them with heads that never end.
//!
//! **Invariant:** neither time is extended by bytes that arrive slowly.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use crate::proxy::limits::HEAD_TIMEOUT;
use hyper::rt::{Sleep, Timer};

/// The times of one connection. hyper wants it to be `Send`, though one thread has it.
#[derive(Clone, Debug, Default)]
pub(super) struct Patience(Arc<AtomicBool>);

impl Patience {
    /// Notes that bytes arrived.
    pub(super) fn heard(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Timer for Patience {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.0.store(false, Ordering::Relaxed);
        let sleep = Box::pin(tokio::time::sleep_until(deadline.into()));
        Box::pin(Wait { patience: self.clone(), sleep, hurried: false })
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into()
    }
}

/// Waits for one head.
struct Wait {
    patience: Patience,
    sleep: Pin<Box<tokio::time::Sleep>>,
    hurried: bool,
}

impl Future for Wait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if !self.hurried && self.patience.0.load(Ordering::Relaxed) {
            self.hurried = true;
            let until = tokio::time::Instant::now() + HEAD_TIMEOUT;
            self.sleep.as_mut().reset(until);
        }
        self.sleep.as_mut().poll(cx)
    }
}

impl Sleep for Wait {}

#[cfg(test)]
mod tests;
