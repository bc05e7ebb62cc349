//! How streams and connections end (RFC 9113 sections 5.4 and 6.8).

use tokio::time::Instant;

use crate::http2::{
    Broken, Reason,
    frame::{ID_MASK, PING_BYTES, put_goaway, put_ping, put_reset},
};

use super::{Fatal, Going, Role, State};

impl State {
    /// Resets a stream.
    pub(in crate::http2) fn reset(&mut self, id: u32, reason: Reason, broken: Broken) {
        if self.failed.is_some() {
            return;
        }
        let entry = self.streams.get_mut(&id);
        if entry.as_ref().is_some_and(|entry| entry.broken.is_some()) {
            return;
        }
        if let Some(entry) = entry {
            entry.break_off(broken);
        }
        self.remember(id);
        self.output.control(|output| put_reset(id, reason, output));
        self.settle(id);
        self.wake_driver();
    }

    /// Forgets a stream on which nothing happens any more.
    pub(in crate::http2) fn settle(&mut self, id: u32) {
        let Some(entry) = self.streams.get_mut(&id).filter(|entry| !entry.is_open()) else {
            return;
        };
        let is_held = entry.has_reader || entry.has_writer;
        if std::mem::take(&mut entry.counts) {
            self.open = self.open.saturating_sub(1);
            if self.open == 0 {
                // It may be over with that.
                self.wake_driver();
            }
        }
        if is_held {
            return;
        }
        let Some(mut entry) = self.streams.remove(&id) else { return };
        if entry.waits {
            self.turns.forget(id);
        }
        self.give_back(entry.inbox.clear());
        self.note_surplus(entry.window);
        if self.streams.is_empty() {
            // It may rest.
            self.wake_driver();
        }
    }

    /// Counts a stream that is reset for what the peer did.
    pub(super) fn count_error(&mut self) -> Result<(), Fatal> {
        let most = u32::try_from(self.limits.error_resets_max).unwrap_or(u32::MAX);
        if !self.error_resets.spend(most, Instant::now()) {
            return Err(Fatal(Reason::ENHANCE_YOUR_CALM, "too many streams are malformed"));
        }
        Ok(())
    }

    /// Notes that nobody takes the peer's half of a stream any more.
    pub(in crate::http2) fn drop_reader(&mut self, id: u32) {
        let role = self.role;
        let Some(entry) = self.streams.get_mut(&id) else { return };
        (entry.has_reader, entry.reader) = (false, None);
        entry.heads.clear();
        let untaken = entry.inbox.clear();
        let is_wanted = match role {
            Role::Client => entry.receive_ended,
            // Our half goes on without it.
            Role::Server => entry.receive_ended || entry.has_writer,
        };
        let reason = if entry.send_ended { Reason::NO_ERROR } else { Reason::CANCEL };
        let reason = if role == Role::Client { Reason::CANCEL } else { reason };
        if entry.is_open() && !is_wanted {
            self.reset(id, reason, Broken::Dropped);
        }
        self.give_back(untaken);
        self.settle(id);
    }

    /// Notes that nobody sends our half of a stream any more.
    pub(in crate::http2) fn drop_writer(&mut self, id: u32) {
        let role = self.role;
        let Some(entry) = self.streams.get_mut(&id) else { return };
        (entry.has_writer, entry.writer) = (false, None);
        let (is_cut, is_read) = (!entry.send_ended, entry.has_reader || role == Role::Client);
        if entry.is_open() && is_cut {
            self.reset(id, Reason::CANCEL, Broken::Dropped);
        } else if entry.is_open() && !is_read {
            // The client need not send the rest (RFC 9113 section 8.1).
            self.reset(id, Reason::NO_ERROR, Broken::Dropped);
        }
        self.settle(id);
    }

    /// Begins to end the connection: what is under way, and what comes until the peer has heard of
    /// it, is still looked at.
    pub(in crate::http2) fn announce_end(&mut self) {
        if self.going != Going::On || self.failed.is_some() {
            return;
        }
        if self.peer.told {
            self.going = Going::Announced;
            self.output.control(|output| {
                put_goaway(ID_MASK, Reason::NO_ERROR, output);
                put_ping(FAREWELL, 0, output);
            });
            self.wake_driver();
        } else {
            self.tell_last();
        }
    }
}

/// What a peer answers when it has heard that the connection will end.
pub(super) const FAREWELL: [u8; PING_BYTES] = *b"farewell";
