//! Asks the peer of a connection whether it is there, and has windows grow that hold it back.
//!
//! **Invariant:** one ping at a time is on its way.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    Settings,
    limits::{Limits, PING_EVERY, PING_TIMEOUT, REACH},
};
use crate::http2::{Beat, Connection, Growth, Io};

/// The peer is not there.
#[derive(Debug)]
pub(super) struct Dead;

/// Keeps one connection.
pub(super) struct Keeper {
    alarm: Pin<Box<Sleep>>,
    /// Whether the alarm knows whom to wake: always the task that drives the connection.
    armed: bool,
    growth: Growth,
    limits: Limits,
}

impl Keeper {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            alarm: Box::pin(sleep_until(Instant::now())),
            armed: false,
            growth: Growth::new(&settings.growth, REACH),
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
        match self.growth.follow(connection) {
            Beat::Still => {}
            Beat::Asked(at) => self.wake_at(at + PING_TIMEOUT),
            Beat::Answered { at, is_short } => {
                self.wake_at(at + PING_EVERY);
                if is_short {
                    self.limits.window_growth.hit();
                }
            }
        }
        while self.poll_alarm(cx).is_ready() {
            match self.growth.asked_at() {
                Some(at) if at.elapsed() >= PING_TIMEOUT => return Poll::Ready(Dead),
                Some(at) => self.wake_at(at + PING_TIMEOUT),
                None => {
                    self.growth.ask(connection);
                    self.wake_at(Instant::now() + PING_TIMEOUT);
                }
            }
        }
        Poll::Pending
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
}

#[cfg(test)]
mod tests;
