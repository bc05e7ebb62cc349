//! Windows that grow with bandwidth and distance.
//!
//! For one round trip, from a ping to its answer, it is counted what is taken of what comes, with
//! what was taken right before: a peer that waits for room sends all at once, and the answer comes
//! ahead of what it sends next. Of a stream of which that nearly fills the window, the window was
//! what held it back, and it gets one of twice as much, as hyper and gRPC do it; the connection
//! does for all streams together. Where that brought nothing it ends there: more would only queue.
//!
//! **Invariant:** one ping at a time is on its way; the one of a measurement follows at least
//! [`PROBE_BYTES_MIN`] that were taken, because some peers end connections for pings without data.
//! **Invariant:** a connection's window grows with those of its streams, so that streams that
//! nobody reads leave as much to the others as before; what a stream got is withdrawn when it ends.
//! **Invariant:** all connections that share an [`Allowance`] never grow by more than that.
//! **Invariant:** a connection of which little was taken holds nothing for this.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{
    Connection, Io,
    limits::{PROBE_BYTES_MIN, PROBE_PAUSES},
};

/// What the windows of all connections that share it may grow by together, in bytes.
#[derive(Clone, Debug)]
pub struct Allowance(Arc<AtomicUsize>);

impl Allowance {
    /// So much.
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }

    /// How much is left.
    pub fn left(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Takes so much, or nothing.
    fn take(&self, bytes: usize) -> bool {
        let less = |left: usize| left.checked_sub(bytes);
        self.0.try_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    fn give(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// How far the windows of one connection may grow.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// The largest window of a stream.
    pub stream_window_max: u32,
    /// The most by which that of the connection may grow.
    pub connection_growth_max: u32,
}

/// What came of a look at a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Beat {
    /// Nothing.
    Still,
    /// A ping was sent at this time.
    Asked(Instant),
    /// It was answered at this time.
    Answered {
        /// When.
        at: Instant,
        /// Whether windows would have grown but for the [`Allowance`].
        is_short: bool,
    },
}

/// Measures one connection, and has its windows grow.
#[derive(Debug)]
pub struct Growth {
    allowance: Allowance,
    reach: Reach,
    probe: Option<Box<Probe>>,
}

/// One measurement after the other.
#[derive(Debug)]
struct Probe {
    /// When the ping was sent that is on its way.
    asked_at: Option<Instant>,
    /// When the next one may be, and what had been taken when that was looked at last.
    next_at: Instant,
    taken: u64,
    pause: Duration,
}

impl Growth {
    /// Of a new connection.
    pub fn new(allowance: &Allowance, reach: Reach) -> Self {
        Self { allowance: allowance.clone(), reach, probe: None }
    }

    /// Does what is to be done for a connection. To be asked after the connection was driven.
    pub fn follow<I: Io>(&mut self, connection: &Connection<I>) -> Beat {
        if connection.take_pong() {
            return self.hear(connection);
        }
        if self.asked_at().is_some() {
            return Beat::Still;
        }
        let seen = self.probe.as_ref().map_or(0, |probe| probe.taken);
        if connection.taken() - seen < PROBE_BYTES_MIN {
            connection.begin_turn();
            return Beat::Still;
        }
        let now = Instant::now();
        if let Some(probe) = self.probe.as_mut().filter(|probe| probe.next_at > now) {
            probe.taken = connection.taken();
            connection.begin_turn();
            return Beat::Still;
        }
        self.ask(connection);
        Beat::Asked(now)
    }

    /// Sends a ping; its answer tells how far the peer is.
    pub fn ask<I: Io>(&mut self, connection: &Connection<I>) {
        let now = Instant::now();
        connection.ping();
        let (taken, pause) = (connection.taken(), PROBE_PAUSES[0]);
        let fresh = || Box::new(Probe { asked_at: None, next_at: now, taken, pause });
        let probe = self.probe.get_or_insert_with(fresh);
        (probe.asked_at, probe.taken) = (Some(now), taken);
    }

    /// When the ping was sent that is on its way.
    pub fn asked_at(&self) -> Option<Instant> {
        self.probe.as_ref()?.asked_at
    }

    /// Takes the answer to a ping.
    fn hear<I: Io>(&mut self, connection: &Connection<I>) -> Beat {
        let at = Instant::now();
        let Some(probe) = &mut self.probe else { return Beat::Still };
        let Some(asked_at) = probe.asked_at.take() else { return Beat::Still };
        let grown = connection.grow(&self.allowance, self.reach, at - asked_at);
        let longer = (probe.pause * 2).min(PROBE_PAUSES[1]);
        probe.pause = if grown.bytes > 0 { PROBE_PAUSES[0] } else { longer };
        (probe.taken, probe.next_at) = (connection.taken(), at + probe.pause);
        connection.begin_turn();
        Beat::Answered { at, is_short: grown.is_short }
    }
}

/// By how much windows grew.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Grown {
    /// That of the connection.
    pub(super) bytes: u32,
    /// Whether the allowance was not enough.
    pub(super) is_short: bool,
}

impl Grown {
    /// Adds so much, as far as it may be had; how much that is.
    pub(super) fn add(&mut self, share: &mut Share, more: u32, reach: Reach) -> u32 {
        let more = more.min(reach.connection_growth_max.saturating_sub(share.taken));
        if more == 0 {
            return 0;
        }
        if !share.take(more) {
            self.is_short = true;
            return 0;
        }
        self.bytes += more;
        more
    }
}

/// What one connection took of an allowance; the rest is given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    allowance: Allowance,
    taken: u32,
    /// What of that is of streams that ended, and is still to be withdrawn.
    pub(super) surplus: u32,
    /// Most bytes in a second so far, of all streams together.
    pub(super) fastest: u64,
}

impl Share {
    /// Nothing yet.
    pub(super) fn of(allowance: &Allowance) -> Self {
        Self { allowance: allowance.clone(), taken: 0, surplus: 0, fastest: 0 }
    }

    fn take(&mut self, bytes: u32) -> bool {
        let is_taken = self.allowance.take(number(bytes));
        self.taken += if is_taken { bytes } else { 0 };
        is_taken
    }

    /// Gives back what is to be withdrawn, so much at most; how much that is.
    pub(super) fn withdraw(&mut self, most: u32) -> u32 {
        let less = most.min(self.surplus);
        self.surplus -= less;
        self.taken -= less;
        self.allowance.give(number(less));
        less
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.allowance.give(number(self.taken));
    }
}

/// What was taken in a round trip.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    taken: u32,
    /// Bytes in a second.
    pub(super) speed: u64,
}

impl Pace {
    pub(super) fn new(taken: u64, round_trip: Duration) -> Self {
        let micros = u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX).max(1);
        let speed = taken.saturating_mul(1_000_000) / micros;
        Self { taken: u32::try_from(taken).unwrap_or(u32::MAX), speed }
    }

    /// By how much a window should grow: not at all where it did not hold anything back, or it was
    /// as fast with less.
    pub(super) fn more(self, window: u32, fastest: u64) -> u32 {
        if self.taken < window / 3 * 2 || self.speed <= fastest {
            return 0;
        }
        self.taken.saturating_mul(2).saturating_sub(window)
    }
}

fn number(bytes: u32) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
