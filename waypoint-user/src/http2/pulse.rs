//! Whether the peer is there, how far it is, and how much is taken of what it sends.
//!
//! It measures nothing: whoever drives a connection asks, and decides.
//!
//! **Invariant:** one ping at a time is on its way.

use std::time::Duration;

use super::{
    Allowance, Connection, Io, Reach,
    frame::{PING_BYTES, put_ping},
    growth::Grown,
};

/// What is known of a peer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pulse {
    /// Whether a ping is on its way.
    asked: bool,
    /// Whether one was answered, and nobody knows it yet.
    answered: bool,
    /// Bytes of bodies that were taken, on all streams.
    pub(super) taken: u64,
    /// The turn in which they are counted, and how many those were when it began.
    pub(super) turn: u32,
    pub(super) begun_at: u64,
}

impl Pulse {
    /// Notes an answer, if it is one.
    pub(super) fn hear(&mut self, content: [u8; PING_BYTES]) {
        if content == PING_CONTENT && std::mem::take(&mut self.asked) {
            self.answered = true;
        }
    }
}

impl<I: Io> Connection<I> {
    /// Asks the peer to answer, unless it was asked and did not yet.
    pub fn ping(&self) {
        let mut state = self.state.borrow_mut();
        if state.failed.is_none() && !std::mem::replace(&mut state.pulse.asked, true) {
            state.output.control(|output| put_ping(PING_CONTENT, 0, output));
            state.wake_driver();
        }
    }

    /// Whether the peer has answered since this was asked last.
    pub fn take_pong(&self) -> bool {
        std::mem::take(&mut self.state.borrow_mut().pulse.answered)
    }

    /// Counts anew what is taken.
    pub(super) fn begin_turn(&self) {
        let pulse = &mut self.state.borrow_mut().pulse;
        (pulse.turn, pulse.begun_at) = (pulse.turn.wrapping_add(1), pulse.taken);
    }

    /// Bytes of bodies that were taken so far, on all streams.
    pub fn taken(&self) -> u64 {
        self.state.borrow().pulse.taken
    }

    /// Lets more bytes wait to be taken, where the windows held the peer back in this round trip.
    pub(super) fn grow(&self, allowance: &Allowance, reach: Reach, round_trip: Duration) -> Grown {
        let mut state = self.state.borrow_mut();
        let is_open = state.failed.is_none();
        if is_open { state.grow(allowance, reach, round_trip) } else { Grown::default() }
    }
}

/// What a ping of ours carries.
const PING_CONTENT: [u8; PING_BYTES] = *b"waypoint";
