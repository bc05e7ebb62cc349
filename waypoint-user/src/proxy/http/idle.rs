//! What ends a request on which nothing moves.
//!
//! It looks at the clock when something moves, and is woken only when its time may be over.

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
    last: Instant,
    /// How far the request's body had come when that was looked at.
    seen: u64,
    progress: Rc<Progress>,
}

impl Idle {
    /// Begins to watch.
    pub(super) fn new(time: Duration, progress: &Rc<Progress>) -> Self {
        let (last, seen) = (Instant::now(), progress.bytes.get());
        Self { time, sleep: Box::pin(sleep(time)), last, seen, progress: Rc::clone(progress) }
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
        self.last = Instant::now();
    }

    /// Ready when nothing has moved for too long.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Fault> {
        while self.sleep.as_mut().poll(cx).is_ready() {
            let bytes = self.progress.bytes.get();
            if bytes != self.seen {
                (self.seen, self.last) = (bytes, Instant::now());
            }
            let due = self.last + self.time;
            if due <= Instant::now() {
                return Poll::Ready(Fault::Idle);
            }
            self.sleep.as_mut().reset(due);
        }
        Poll::Pending
    }
}
