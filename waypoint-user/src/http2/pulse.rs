//! Whether the peer is there, how far it is, how much is taken of what it sends; and larger windows
//! for a peer that they hold back.
//!
//! It measures nothing: whoever drives a connection asks, and decides.
//!
//! **Invariant:** one ping at a time is on its way.
//! **Invariant:** windows never shrink.

use super::{
    Connection, Io,
    frame::{
        INITIAL_WINDOW_SIZE, PING_BYTES, WINDOW_DEFAULT, put_ping, put_settings, put_window_update,
    },
    state::State,
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

    /// Bytes of bodies that were taken so far, on all streams.
    pub fn taken(&self) -> u64 {
        self.state.borrow().pulse.taken
    }

    /// Lets more bytes wait to be taken, of the connection and of each of its streams.
    pub fn grow(&self, connection_window: u32, stream_window: u32) {
        let mut state = self.state.borrow_mut();
        if state.failed.is_none() {
            state.grow_connection(connection_window);
            state.grow_streams(stream_window);
            state.wake_driver();
        }
    }
}

impl State {
    fn grow_connection(&mut self, window: u32) {
        let before = self.limits.connection_window.max(WINDOW_DEFAULT);
        let more = window.saturating_sub(before);
        if more > 0 {
            self.limits.connection_window = window;
            self.receive_window += i64::from(more);
            self.output.control(|output| put_window_update(0, more, output));
        }
    }

    /// What is sent before the peer has heard of it fits into the window before, and into this.
    fn grow_streams(&mut self, window: u32) {
        let more = window.saturating_sub(self.limits.stream_window);
        if more > 0 {
            self.limits.stream_window = window;
            for entry in self.streams.values_mut() {
                entry.receive_window += i64::from(more);
            }
            let setting = [(INITIAL_WINDOW_SIZE, window)];
            self.output.control(|output| put_settings(&setting, output));
        }
    }
}

/// What a ping of ours carries.
const PING_CONTENT: [u8; PING_BYTES] = *b"waypoint";
