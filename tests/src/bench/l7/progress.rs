//! A line that says how far it is.

use std::{
    io::{IsTerminal, Write},
    time::Instant,
};

use super::{load::Seen, peer::Peer, work::Work};

/// How far it is.
pub(super) struct Progress {
    count: usize,
    taken: usize,
    began: Instant,
    /// Whether the line is written over and over.
    is_terminal: bool,
}

impl Progress {
    /// Nothing of so many measurements.
    pub(super) fn new(count: usize) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self { count, taken: 0, began: Instant::now(), is_terminal }
    }

    /// Says what was just measured, and how long the rest takes at this pace.
    pub(super) fn took(&mut self, work: Work, peer: Peer, round: usize, seen: Seen) {
        self.taken += 1;
        let Self { count, taken, .. } = *self;
        let each = self.began.elapsed() / u32::try_from(taken).unwrap_or(u32::MAX);
        let left = each * u32::try_from(count.saturating_sub(taken)).unwrap_or_default();
        let figure = if work.is_idle() {
            format!("{:.1} KiB each", seen.each_kib)
        } else {
            format!("{:.1} µs CPU", seen.cpu_us)
        };
        let (name, minutes, seconds) = (work.name(), left.as_secs() / 60, left.as_secs() % 60);
        self.write(&format!(
            "[{taken}/{count}] {name} · {peer} · round {round}: {figure} \
             ({minutes}:{seconds:02} left)"
        ));
    }

    /// Makes room for what comes.
    pub(super) fn end(&self) {
        if self.is_terminal {
            eprintln!();
        }
    }

    fn write(&self, line: &str) {
        let mut out = std::io::stderr().lock();
        // Nobody needs to see it.
        let _unseen = if self.is_terminal {
            write!(out, "\r\x1b[K{line}").and_then(|()| out.flush())
        } else {
            writeln!(out, "{line}")
        };
    }
}
