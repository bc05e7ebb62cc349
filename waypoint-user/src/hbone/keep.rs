//! Asks the peer of a connection whether it is there, and measures how far it is and how much comes
//! from it, to grow windows that hold it back.
//!
//! The window asked for is twice of what came in one round trip, which is how hyper and gRPC do it:
//! a window that is filled in a round trip was what limited it.
//!
//! **Invariant:** one ping at a time is on its way.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use h2::{Ping, PingPong};
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    Settings,
    limits::{
        CONNECTION_WINDOW_BYTES, CONNECTION_WINDOW_BYTES_MAX, Limits, PING_EVERY, PING_TIMEOUT,
        PROBE_PAUSES,
    },
    settings::Share,
};

/// What came by a connection; its streams add to it.
pub(super) struct Flow(Mutex<Measure>);

/// One measurement after another. The lock is for hyper, which wants streams that could move to
/// another thread; nobody ever waits for it.
struct Measure {
    pings: Option<PingPong>,
    sent_at: Option<Instant>,
    probe_at: Instant,
    /// Bytes since the ping was sent.
    received: usize,
}

impl Flow {
    /// Adds bytes that a stream took.
    pub(super) fn received(&self, bytes: usize) {
        let mut measure = self.measure();
        if measure.sent_at.is_none() && measure.probe_at <= Instant::now() {
            measure.ping();
        }
        if measure.sent_at.is_some() {
            measure.received += bytes;
        }
    }

    fn measure(&self) -> MutexGuard<'_, Measure> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Measure {
    /// Sends a ping; none may be on its way.
    fn ping(&mut self) {
        let pings = self.pings.as_mut();
        if pings.is_some_and(|pings| pings.send_ping(Ping::opaque()).is_ok()) {
            self.sent_at = Some(Instant::now());
            self.received = 0;
        }
    }

    /// Ready when a ping was answered: how long that took, and what came meanwhile.
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<(Duration, usize)> {
        // Of an error the connection itself knows.
        let Some(Poll::Ready(Ok(_))) = self.pings.as_mut().map(|pings| pings.poll_pong(cx)) else {
            return Poll::Pending;
        };
        let sent_at = self.sent_at.take().unwrap_or_else(Instant::now);
        Poll::Ready((sent_at.elapsed(), std::mem::take(&mut self.received)))
    }
}

/// What a connection should do.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Advice {
    /// Give its window this size.
    Grow(u32),
    /// Nothing; but what the peer said before its first answer is known now.
    Settled,
    /// Give up: the peer is not there.
    Dead,
}

/// Keeps one connection.
pub(super) struct Keeper {
    flow: Arc<Flow>,
    alarm: Pin<Box<Sleep>>,
    settled: bool,
    window: u32,
    /// Most bytes in a second so far.
    fastest: f64,
    pause: Duration,
    share: Share,
    limits: Limits,
}

impl Keeper {
    /// Begins with a ping: its answer comes after the peer's settings.
    pub(super) fn new(pings: Option<PingPong>, settings: &Settings) -> Self {
        let now = Instant::now();
        let mut measure = Measure { pings, sent_at: None, probe_at: now, received: 0 };
        measure.ping();
        Self {
            flow: Arc::new(Flow(Mutex::new(measure))),
            alarm: Box::pin(sleep_until(now + PING_TIMEOUT)),
            settled: false,
            window: CONNECTION_WINDOW_BYTES,
            fastest: 0.0,
            pause: PROBE_PAUSES[0],
            share: settings.share(),
            limits: settings.limits.clone(),
        }
    }

    /// Where streams tell what came.
    pub(super) fn flow(&self) -> Arc<Flow> {
        Arc::clone(&self.flow)
    }

    /// What to do next. To be polled after the connection, which carries the pings.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Advice> {
        let flow = Arc::clone(&self.flow);
        let mut measure = flow.measure();
        while let Poll::Ready((round_trip, received)) = measure.poll_answer(cx) {
            let now = Instant::now();
            self.alarm.as_mut().reset(now + PING_EVERY);
            let wanted = self.wanted(received, round_trip);
            measure.probe_at = now + self.pause;
            if let Some(size) = wanted {
                self.settled = true;
                return Poll::Ready(Advice::Grow(size));
            }
            if !self.settled {
                self.settled = true;
                return Poll::Ready(Advice::Settled);
            }
        }
        while self.alarm.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            match measure.sent_at {
                Some(sent_at) if now >= sent_at + PING_TIMEOUT => return Poll::Ready(Advice::Dead),
                Some(sent_at) => self.alarm.as_mut().reset(sent_at + PING_TIMEOUT),
                None => {
                    measure.ping();
                    self.alarm.as_mut().reset(now + PING_TIMEOUT);
                }
            }
        }
        Poll::Pending
    }

    /// The size that the window should have, if that is not what it has.
    fn wanted(&mut self, received: usize, round_trip: Duration) -> Option<u32> {
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let speed = received as f64 / round_trip.as_secs_f64().max(1e-6);
        let is_filled = received >= self.window as usize / 3 * 2;
        if speed <= self.fastest || !is_filled || self.window >= CONNECTION_WINDOW_BYTES_MAX {
            self.pause = (self.pause * 2).min(PROBE_PAUSES[1]);
            return None;
        }
        let size = u32::try_from(received.saturating_mul(2)).unwrap_or(u32::MAX);
        let size = size.min(CONNECTION_WINDOW_BYTES_MAX);
        let more = size.checked_sub(self.window).filter(|more| *more > 0)?;
        if !self.share.take(more as usize) {
            self.limits.window_growth.hit();
            return None;
        }
        (self.fastest, self.pause, self.window) = (speed, PROBE_PAUSES[0], size);
        Some(size)
    }
}

#[cfg(test)]
mod tests;
