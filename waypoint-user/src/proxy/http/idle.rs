//! What ends a request on which nothing moves.
//!
//! The clock is looked at when something moves; it is woken only when its time may be over.

use std::{
    future::{Future, pending, poll_fn},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

use crate::proxy::respond::Fault;

use super::body::Progress;

/// A watch over a request.
pub(in crate::proxy) struct Idle {
    time: Duration,
    sleep: Pin<Box<Sleep>>,
    /// When something came back last.
    heard: Instant,
    progress: Rc<Progress>,
}

impl Idle {
    /// Begins to watch.
    pub(super) fn new(time: Duration, progress: &Rc<Progress>) -> Self {
        progress.watch();
        let (sleep, heard) = (Box::pin(sleep(time)), Instant::now());
        Self { time, sleep, heard, progress: Rc::clone(progress) }
    }

    /// Waits until nothing has moved for too long; for ever where nobody watches.
    pub(super) async fn over(idle: &mut Option<Self>) -> Fault {
        match idle {
            Some(idle) => poll_fn(|cx| idle.poll(cx)).await,
            None => pending().await,
        }
    }

    /// Something came back.
    pub(super) fn heard(&mut self) {
        self.heard = Instant::now();
    }

    /// Ready when nothing has moved for too long.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Fault> {
        while self.sleep.as_mut().poll(cx).is_ready() {
            let last = self.progress.moved().map_or(self.heard, |moved| moved.max(self.heard));
            let due = last + self.time;
            if due <= Instant::now() {
                return Poll::Ready(Fault::Idle);
            }
            self.sleep.as_mut().reset(due);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests;
