//! What waits to be sent on a stream; it leaves at the end of a turn.
//!
//! Each write wakes the other side. Written one by one between the reads of other connections, each
//! finds it asleep again, and waking it costs more than the write; written one after the other,
//! when all that was ready on this thread had its turn, many find it awake.
//!
//! **Invariant:** what is written to TCP waits for one turn, whatever it is, and never for time.

use std::{
    collections::VecDeque,
    io,
    task::{Context, Poll, ready},
};

use bytes::Bytes;

use super::stream::Stream;

/// What waits to be sent.
#[derive(Debug, Default)]
pub(super) struct Outlet {
    queue: VecDeque<Bytes>,
    /// Whether the others had their turn since it was empty.
    waited: bool,
}

impl Outlet {
    /// Where more is put.
    pub(super) fn queue(&mut self) -> &mut VecDeque<Bytes> {
        &mut self.queue
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How many bytes wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue.iter().map(Bytes::len).sum()
    }

    /// Forgets what waits.
    pub(super) fn clear(&mut self) {
        self.queue.clear();
    }

    /// Lets go of what only a long message needed.
    pub(super) fn rest(&mut self) {
        self.queue.shrink_to(PIECES_KEPT);
    }

    /// Sends from the front, at least one byte, once the others had their turn.
    pub(super) fn poll_send(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        // Streams of HBONE are written by a task of their own, which runs after us.
        if !self.waited && matches!(stream, Stream::Tcp(_)) {
            self.waited = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.poll_send_now(stream, cx)
    }

    /// Sends from the front, at least one byte.
    pub(super) fn poll_send_now(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(stream.poll_send(&mut self.queue, cx))?;
        self.waited = !self.queue.is_empty();
        Poll::Ready(Ok(()))
    }
}

/// Room for pieces that an idle connection keeps.
const PIECES_KEPT: usize = 8;

#[cfg(test)]
mod tests;
