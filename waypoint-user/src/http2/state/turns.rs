//! Who may send next where streams have more to send than the connection has room for.
//!
//! **Invariant:** while streams wait for room, nobody takes any that it was not granted, and it is
//! granted in the order in which they began to wait.

use std::{collections::VecDeque, task::Context};

use crate::http2::{
    entry::{Entry, wait},
    limits::SHARE_BYTES_MIN,
};

use super::State;

/// Who waits for room on a connection.
#[derive(Debug, Default)]
pub(in crate::http2) struct Turns {
    /// Streams that wait.
    pub(in crate::http2) waiting: VecDeque<u32>,
    /// Whether room is taken only where it was granted.
    shared: bool,
    /// Whether some was granted, and those who got it had no time to take it.
    is_turn: bool,
}

impl Turns {
    /// How much of the room a stream may take.
    pub(super) fn left(&self, entry: &Entry) -> usize {
        if self.shared { entry.granted } else { usize::MAX }
    }

    /// Forgets a stream.
    pub(super) fn forget(&mut self, id: u32) {
        self.waiting.retain(|waiting| *waiting != id);
    }
}

impl State {
    /// Has a stream wait that has no room.
    pub(super) fn wait_for_room(&mut self, id: u32, cx: &Context<'_>) {
        let has_room = self.room() > 0;
        let Some(entry) = self.streams.get_mut(&id) else { return };
        wait(&mut entry.writer, cx);
        if has_room && self.turns.left(entry) > 0 {
            // Its own window is what it waits for.
            return;
        }
        if !std::mem::replace(&mut entry.waits, true) {
            self.turns.waiting.push_back(id);
        }
        if has_room {
            self.wake_driver();
        }
    }

    /// Grants what room there is to those who waited longest, and wakes them; a turn lasts until
    /// whoever drives the connection rests.
    pub(in crate::http2) fn share_room(&mut self) {
        if self.turns.is_turn || !self.has_room_to_share() {
            return;
        }
        self.turns.shared = !self.turns.waiting.is_empty();
        let room = self.room();
        let most = (room / SHARE_BYTES_MIN).clamp(1, self.turns.waiting.len().max(1));
        for _ in 0..most {
            let Some(id) = self.turns.waiting.pop_front() else { return };
            if let Some(entry) = self.streams.get_mut(&id) {
                (entry.waits, entry.granted) = (false, room / most);
                entry.wake_writer();
                self.turns.is_turn = true;
            }
        }
    }

    /// Ends a turn; whether there is another.
    pub(super) fn end_turn(&mut self) -> bool {
        self.turns.is_turn = false;
        !self.turns.waiting.is_empty() && self.has_room_to_share()
    }

    /// Whether there is room that is worth to be shared.
    fn has_room_to_share(&self) -> bool {
        let has_room = self.output.waiting() <= self.limits.send_bytes_max / 2;
        self.send_window > 0 && has_room && !self.output.is_choked()
    }
}
