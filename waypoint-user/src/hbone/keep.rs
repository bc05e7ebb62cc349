//! Asks the peer of a connection whether it is there, and measures how far it is and how much is
//! taken of what comes from it, to grow windows that hold it back.
//!
//! The window asked for is twice of what was taken in one round trip, which is how hyper and gRPC
//! do it: a window that is filled in a round trip was what limited it.
//!
//! **Invariant:** one ping at a time is on its way.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    Settings,
    limits::{
        CONNECTION_WINDOW_BYTES, CONNECTION_WINDOW_BYTES_MAX, Limits, PING_EVERY, PING_TIMEOUT,
        PROBE_BYTES_MIN, PROBE_PAUSES, WINDOW_RATIO,
    },
    settings::Share,
};
use crate::http2::{Connection, Io};

/// The peer is not there.
#[derive(Debug)]
pub(super) struct Dead;

/// Keeps one connection.
pub(super) struct Keeper {
    alarm: Pin<Box<Sleep>>,
    /// Whether the alarm knows whom to wake: always the task that drives the connection.
    armed: bool,
    /// When the ping was sent that is on its way.
    sent_at: Option<Instant>,
    /// When bandwidth may be measured again, and what had been taken when it was begun last.
    probe_at: Instant,
    taken: u64,
    window: u32,
    /// Most bytes in a second so far.
    fastest: f64,
    pause: Duration,
    share: Share,
    limits: Limits,
}

impl Keeper {
    pub(super) fn new(settings: &Settings) -> Self {
        let now = Instant::now();
        Self {
            alarm: Box::pin(sleep_until(now)),
            armed: false,
            sent_at: None,
            probe_at: now,
            taken: 0,
            window: CONNECTION_WINDOW_BYTES,
            fastest: 0.0,
            pause: PROBE_PAUSES[0],
            share: settings.share(),
            limits: settings.limits.clone(),
        }
    }

    /// Does what is to be done for a connection; ready once its peer is dead. To be polled after
    /// the connection, which carries the pings; by its alarm it begins with one.
    pub(super) fn poll<I: Io>(
        &mut self,
        connection: &Connection<I>,
        cx: &mut Context<'_>,
    ) -> Poll<Dead> {
        if connection.take_pong() {
            self.hear(connection);
        } else if self.may_probe(connection) {
            self.ping(connection);
        }
        while self.poll_alarm(cx).is_ready() {
            match self.sent_at {
                Some(sent_at) if sent_at.elapsed() >= PING_TIMEOUT => return Poll::Ready(Dead),
                Some(sent_at) => self.wake_at(sent_at + PING_TIMEOUT),
                None => self.ping(connection),
            }
        }
        Poll::Pending
    }

    /// Whether enough was taken since the last measurement, and long enough ago, for another.
    fn may_probe<I: Io>(&self, connection: &Connection<I>) -> bool {
        let is_busy = connection.taken() - self.taken >= PROBE_BYTES_MIN;
        is_busy && self.sent_at.is_none() && self.probe_at <= Instant::now()
    }

    fn ping<I: Io>(&mut self, connection: &Connection<I>) {
        let now = Instant::now();
        connection.ping();
        (self.sent_at, self.taken) = (Some(now), connection.taken());
        self.wake_at(now + PING_TIMEOUT);
    }

    /// Takes the answer to a ping.
    fn hear<I: Io>(&mut self, connection: &Connection<I>) {
        let now = Instant::now();
        let round_trip = now - self.sent_at.take().unwrap_or(now);
        let taken = connection.taken();
        let received = usize::try_from(taken - self.taken).unwrap_or(usize::MAX);
        self.taken = taken;
        self.wake_at(now + PING_EVERY);
        if let Some(size) = self.wanted(received, round_trip) {
            connection.grow(size, size / WINDOW_RATIO);
        }
        self.probe_at = now + self.pause;
    }

    fn wake_at(&mut self, at: Instant) {
        self.alarm.as_mut().reset(at);
        self.armed = false;
    }

    /// Ready when the alarm rings.
    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.armed && !self.alarm.is_elapsed() {
            return Poll::Pending;
        }
        self.armed = true;
        self.alarm.as_mut().poll(cx)
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
