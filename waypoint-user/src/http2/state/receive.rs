//! What comes on a connection: frames, one after the other.

use bytes::{Buf, Bytes};

use crate::http2::{
    Broken, Reason,
    entry::malformed,
    frame::{
        ACK, CONTINUATION, DATA, GOAWAY, HEAD_BYTES, HEADERS, Head, ID_MASK, PADDED, PAYLOAD_MAX,
        PING, PING_BYTES, PREFACE, PRIORITY, PUSH_PROMISE, RST_STREAM, SETTING_BYTES, SETTINGS,
        WINDOW_MAX, WINDOW_UPDATE, number, put_goaway, put_ping, put_settings_ack,
    },
};

use super::{Fatal, Going, Role, State};

impl State {
    /// Takes all frames that are there from the front of `input`, as far as their answers have
    /// room.
    pub(in crate::http2) fn take(&mut self, input: &mut Bytes) -> Result<(), Fatal> {
        let whole = input.len();
        if self.awaits_preface && !self.take_preface(input)? {
            return Ok(());
        }
        while !input.is_empty() && !self.output.is_choked() {
            if self.payload.is_some() {
                self.take_payload(input, whole);
                continue;
            }
            let Some(head) = Head::parse(input) else { return Ok(()) };
            self.check(head)?;
            let needed = match head.kind {
                DATA => usize::from(head.has(PADDED)).min(head.len),
                _ => head.len,
            };
            if input.len() < HEAD_BYTES + needed {
                return Ok(());
            }
            input.advance(HEAD_BYTES);
            if head.kind == DATA {
                self.begin_payload(head, input)?;
            } else {
                let payload = input.split_to(head.len);
                self.dispatch(head, payload, whole)?;
            }
        }
        Ok(())
    }

    /// Takes the preface of a client, if it is there.
    fn take_preface(&mut self, input: &mut Bytes) -> Result<bool, Fatal> {
        if input.starts_with(PREFACE) {
            input.advance(PREFACE.len());
            self.awaits_preface = false;
        } else if !PREFACE.starts_with(input) {
            return Err(Fatal(Reason::PROTOCOL_ERROR, "it does not begin with the preface"));
        }
        Ok(!self.awaits_preface)
    }

    /// Whether a frame may come now.
    fn check(&self, head: Head) -> Result<(), Fatal> {
        if head.len > self.limits.payload_max.max(PAYLOAD_MAX) {
            return Err(Fatal(Reason::FRAME_SIZE_ERROR, "a frame is longer than was agreed"));
        }
        if !self.peer.told && (head.kind != SETTINGS || head.has(ACK)) {
            return Err(Fatal(Reason::PROTOCOL_ERROR, "SETTINGS do not come first"));
        }
        let continues = self.block.as_ref().map(|block| block.id);
        let is_next = head.kind == CONTINUATION && continues == Some(head.id);
        if (continues.is_some() || head.kind == CONTINUATION) && !is_next {
            return Err(Fatal(Reason::PROTOCOL_ERROR, "a header block is torn"));
        }
        Ok(())
    }

    fn dispatch(&mut self, head: Head, payload: Bytes, whole: usize) -> Result<(), Fatal> {
        match head.kind {
            HEADERS => self.take_headers(head, payload, whole),
            CONTINUATION => self.take_continuation(head, &payload),
            PRIORITY => self.take_priority(head, &payload),
            RST_STREAM => self.take_reset(head, &payload),
            SETTINGS => self.take_settings(head, &payload),
            PING => self.take_ping(head, &payload),
            GOAWAY => self.take_goaway(head, &payload),
            WINDOW_UPDATE => self.take_window_update(head, &payload),
            PUSH_PROMISE => Err(Fatal(Reason::PROTOCOL_ERROR, "a push that nobody wants")),
            // What is not known is passed over (RFC 9113 section 5.5).
            _ => Ok(()),
        }
    }

    /// Priorities are not used, but must be right.
    fn take_priority(&mut self, head: Head, payload: &[u8]) -> Result<(), Fatal> {
        if head.id == 0 {
            return Err(ON_CONNECTION);
        }
        if payload.len() != PRIORITY_BYTES {
            return self.breach(head.id, Reason::FRAME_SIZE_ERROR);
        }
        if number(payload).is_some_and(|on| on & ID_MASK == head.id) {
            return self.breach(head.id, Reason::PROTOCOL_ERROR);
        }
        Ok(())
    }

    fn take_reset(&mut self, head: Head, payload: &[u8]) -> Result<(), Fatal> {
        let (4, Some(code)) = (payload.len(), number(payload)) else { return Err(LENGTH) };
        if head.id == 0 || self.is_idle(head.id) {
            return Err(ON_IDLE);
        }
        let (reason, role) = (Reason::from(code), self.role);
        let Some(entry) = self.streams.get_mut(&head.id) else { return Ok(()) };
        if !entry.is_open() {
            return Ok(());
        }
        let is_early = role == Role::Server && !entry.answered;
        entry.break_off(match reason {
            Reason::REFUSED_STREAM => Broken::Refused,
            reason => Broken::Reset(reason),
        });
        self.settle(head.id);
        if is_early { self.note_early_reset(head.id) } else { Ok(()) }
    }

    fn take_settings(&mut self, head: Head, payload: &[u8]) -> Result<(), Fatal> {
        if head.id != 0 {
            return Err(ON_STREAM);
        }
        let is_whole = payload.len().is_multiple_of(SETTING_BYTES);
        if !is_whole || (head.has(ACK) && !payload.is_empty()) {
            return Err(LENGTH);
        }
        if head.has(ACK) {
            return Ok(());
        }
        let before = self.peer.window;
        self.peer.take(payload, self.role)?;
        // The least of what was said in between is told, too (RFC 7541 section 4.2).
        self.encoder.set_peer_max(self.peer.table_bytes_least);
        self.encoder.set_peer_max(self.peer.table_bytes);
        let change = i64::from(self.peer.window) - i64::from(before);
        if change != 0 {
            self.change_windows(change)?;
        }
        self.output.control(put_settings_ack);
        self.settings_waits.drain(..).for_each(std::task::Waker::wake);
        Ok(())
    }

    /// Gives all streams more room, or less (RFC 9113 section 6.9.2).
    fn change_windows(&mut self, change: i64) -> Result<(), Fatal> {
        for entry in self.streams.values_mut() {
            entry.send_window += change;
            if entry.send_window > WINDOW_MAX {
                return Err(WINDOW);
            }
            if change > 0 {
                entry.wake_writer();
            }
        }
        Ok(())
    }

    fn take_ping(&mut self, head: Head, payload: &[u8]) -> Result<(), Fatal> {
        if head.id != 0 {
            return Err(ON_STREAM);
        }
        let Some(content) = payload.first_chunk::<PING_BYTES>() else { return Err(LENGTH) };
        if payload.len() != PING_BYTES {
            return Err(LENGTH);
        }
        if !head.has(ACK) {
            self.output.control(|output| put_ping(*content, ACK, output));
        } else if self.going == Going::Announced && *content == super::close::FAREWELL {
            self.tell_last();
        } else {
            self.pulse.hear(*content);
        }
        Ok(())
    }

    fn take_goaway(&mut self, head: Head, payload: &[u8]) -> Result<(), Fatal> {
        if head.id != 0 {
            return Err(ON_STREAM);
        }
        let (Some(last), true) = (number(payload), payload.len() >= 8) else { return Err(LENGTH) };
        let last = last & ID_MASK;
        self.peer_going = Some(self.peer_going.map_or(last, |known| known.min(last)));
        if self.role == Role::Client {
            let unseen: Vec<u32> = self.streams.keys().copied().filter(|id| *id > last).collect();
            for id in unseen {
                if let Some(entry) = self.streams.get_mut(&id).filter(|entry| entry.is_open()) {
                    entry.break_off(Broken::Refused);
                }
                self.settle(id);
            }
        }
        Ok(())
    }

    fn take_window_update(&mut self, head: Head, payload: &[u8]) -> Result<(), Fatal> {
        let (4, Some(more)) = (payload.len(), number(payload)) else { return Err(LENGTH) };
        let more = i64::from(more & ID_MASK);
        if head.id == 0 {
            self.send_window += more;
            return match more {
                0 => Err(Fatal(Reason::PROTOCOL_ERROR, "a window that grows by nothing")),
                _ if self.send_window > WINDOW_MAX => Err(WINDOW),
                _ => Ok(()),
            };
        }
        if self.is_idle(head.id) {
            return Err(ON_IDLE);
        }
        let Some(entry) = self.streams.get_mut(&head.id) else { return Ok(()) };
        entry.send_window += more;
        match more {
            0 => self.breach(head.id, Reason::PROTOCOL_ERROR),
            _ if entry.send_window > WINDOW_MAX => self.breach(head.id, Reason::FLOW_CONTROL_ERROR),
            _ => {
                entry.wake_writer();
                Ok(())
            }
        }
    }

    /// Notes a request that its client reset before it was answered.
    fn note_early_reset(&mut self, id: u32) -> Result<(), Fatal> {
        let seen = self.fresh.len();
        self.fresh.retain(|fresh| fresh.id != id);
        if self.fresh.len() < seen {
            self.unseen_resets += 1;
            self.drop_reader(id);
            self.drop_writer(id);
        }
        if self.unseen_resets > self.limits.unseen_resets_max {
            return Err(EARLY_RESETS);
        }
        self.count_early()
    }

    /// Counts a request that comes to nothing.
    pub(super) fn count_early(&mut self) -> Result<(), Fatal> {
        let most = self.limits.early_resets_max;
        let is_calm = self.early_resets.spend(most, tokio::time::Instant::now());
        if is_calm { Ok(()) } else { Err(EARLY_RESETS) }
    }

    /// Resets a stream for what the peer did on it.
    pub(super) fn breach(&mut self, id: u32, reason: Reason) -> Result<(), Fatal> {
        self.count_error()?;
        self.reset(id, reason, malformed(reason));
        Ok(())
    }

    /// Tells the peer which streams are still looked at.
    pub(super) fn tell_last(&mut self) {
        let last = self.last_of_peer;
        self.going = Going::Told(last);
        self.output.control(|output| put_goaway(last, Reason::NO_ERROR, output));
        self.wake_driver();
    }
}

pub(super) const ON_CONNECTION: Fatal =
    Fatal(Reason::PROTOCOL_ERROR, "a frame of a stream has no stream");
const EARLY_RESETS: Fatal =
    Fatal(Reason::ENHANCE_YOUR_CALM, "too many requests are reset, or more than are taken");
const ON_STREAM: Fatal = Fatal(Reason::PROTOCOL_ERROR, "a frame of the connection has a stream");
pub(super) const ON_IDLE: Fatal = Fatal(Reason::PROTOCOL_ERROR, "a frame of an idle stream");
pub(super) const LENGTH: Fatal = Fatal(Reason::FRAME_SIZE_ERROR, "a frame of a wrong length");
pub(super) const WINDOW: Fatal =
    Fatal(Reason::FLOW_CONTROL_ERROR, "a window is larger than any may be");

/// Bytes of a priority.
pub(super) const PRIORITY_BYTES: usize = 5;
