//! Windows that grow, and shrink again when a stream ends.

use std::time::Duration;

use crate::http2::{
    frame::{WINDOW_DEFAULT, put_window_update},
    growth::{Allowance, Grown, Pace, Reach, Share},
};

use super::State;

impl State {
    /// Lets the peer send more on streams that their windows held back in a round trip, and on the
    /// connection.
    pub(in crate::http2) fn grow(
        &mut self,
        allowance: &Allowance,
        reach: Reach,
        round_trip: Duration,
    ) -> Grown {
        let window = self.limits.connection_window.max(WINDOW_DEFAULT);
        let mut grown = self.grow_streams(allowance, reach, round_trip);
        let pace = Pace::new(self.pulse.taken - self.pulse.begun_at, round_trip);
        let fastest = self.share.as_ref().map_or(0, |share| share.fastest);
        let more = pace.more(window, fastest).saturating_sub(grown.bytes);
        if more > 0 {
            let share = self.share.get_or_insert_with(|| Box::new(Share::of(allowance)));
            if grown.add(share, more, reach) > 0 {
                share.fastest = pace.speed;
            }
        }
        if grown.bytes > 0 {
            self.limits.connection_window = window + grown.bytes;
            self.receive_window += i64::from(grown.bytes);
            self.output.control(|output| put_window_update(0, grown.bytes, output));
            self.wake_driver();
        }
        grown
    }

    fn grow_streams(&mut self, allowance: &Allowance, reach: Reach, round_trip: Duration) -> Grown {
        let mut grown = Grown::default();
        for (id, entry) in &mut self.streams {
            if entry.receive_ended || entry.broken.is_some() {
                continue;
            }
            let pace = Pace::new(entry.taken_in(self.pulse.turn), round_trip);
            let most = reach.stream_window_max.saturating_sub(entry.window);
            let more = pace.more(entry.window, entry.fastest).min(most);
            if more == 0 {
                continue;
            }
            let share = self.share.get_or_insert_with(|| Box::new(Share::of(allowance)));
            let more = grown.add(share, more, reach);
            if more > 0 {
                (entry.fastest, entry.window) = (pace.speed, entry.window + more);
                entry.receive_window += i64::from(more);
                self.output.control(|output| put_window_update(*id, more, output));
            }
        }
        grown
    }

    /// Notes that a stream with such a window ended: what it had more than others is withdrawn.
    pub(super) fn note_surplus(&mut self, window: u32) {
        let surplus = window.saturating_sub(self.limits.stream_window);
        if let Some(share) = self.share.as_mut().filter(|_| surplus > 0) {
            share.surplus += surplus;
            self.untold = self.withdraw(self.untold);
        }
    }

    /// Withdraws what is to be withdrawn, of bytes that were taken; how many of them are left to be
    /// given back.
    pub(super) fn withdraw(&mut self, taken: u32) -> u32 {
        let Some(share) = &mut self.share else { return taken };
        let less = share.withdraw(taken);
        self.limits.connection_window -= less;
        taken - less
    }
}
