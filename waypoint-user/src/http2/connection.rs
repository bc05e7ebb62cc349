//! What drives a connection: it reads, has what came taken, and sends what that, and the streams,
//! made.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};

use super::{Broken, Reason, closing::Closing, state::State};

/// What carries a connection.
pub trait Io {
    /// The next bytes that came; none at the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>>;

    /// Sends from the front of a queue as much as there is room for, at least one byte.
    fn poll_send(
        &mut self,
        queue: &mut VecDeque<Bytes>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>>;

    /// Sends on what was taken to be sent, where the carrier may still hold some of it.
    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Ends our side.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Lets go of what only a busy connection needs.
    fn rest(&mut self) {}
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Failed {
    /// The peer ended it.
    #[error("the peer ended the connection")]
    Ended,
    /// It broke.
    #[error("the connection broke: {0}")]
    Io(io::ErrorKind),
    /// The peer did what it must not.
    #[error("the peer broke the protocol, {0}: {1}")]
    Protocol(Reason, &'static str),
}

impl Failed {
    /// Whether the peer ended it as it may.
    pub fn is_end(self) -> bool {
        self == Self::Ended
    }

    /// What it breaks streams with.
    pub(super) fn breaks(self) -> Broken {
        match self {
            Self::Ended | Self::Io(_) => Broken::Closed,
            Self::Protocol(reason, _) => Broken::Malformed(reason),
        }
    }
}

/// A connection.
pub struct Connection<I> {
    pub(super) io: I,
    pub(super) state: Rc<RefCell<State>>,
    /// What came and was not taken.
    pub(super) input: Bytes,
    pub(super) closing: Closing,
}

impl<I: Io> Connection<I> {
    pub(super) fn new(io: I, state: State) -> Self {
        let state = Rc::new(RefCell::new(state));
        Self { io, state, input: Bytes::new(), closing: Closing::default() }
    }

    /// A connection of which `first` was read.
    #[must_use]
    pub fn after(mut self, first: Bytes) -> Self {
        self.input = first;
        self
    }

    /// Begins to end the connection: what is under way, and what comes until the peer has heard of
    /// it, goes on.
    pub fn end(&self) {
        self.state.borrow_mut().announce_end();
    }

    /// Why it ended before its time, if it did.
    pub fn failed(&self) -> Option<Failed> {
        self.state.borrow().failed
    }

    /// Whether the peer has said anything.
    pub fn has_begun(&self) -> bool {
        self.state.borrow().peer.told
    }

    /// Whether there are no streams, and only the peer can go on with what was begun: its preface,
    /// a frame, a header block, or the end of which it was told.
    pub fn awaits_peer(&self) -> bool {
        let state = self.state.borrow();
        (state.streams.is_empty() && !self.input.is_empty()) || state.awaits_peer()
    }

    /// Drives the connection until the peer has said what it takes, or it ended.
    pub fn poll_begin(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.has_begun() && ready!(self.poll_once(cx)) {}
        Poll::Ready(())
    }

    /// How many streams there are.
    pub fn streams(&self) -> usize {
        self.state.borrow().streams.len()
    }

    /// Sends and reads once; whether that goes on.
    pub(super) fn poll_once(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut state = self.state.borrow_mut();
        state.driven_by(cx);
        let sent = match state.output.poll_send(&mut self.io, cx) {
            Poll::Ready(Err(cause)) => {
                drop(state);
                self.hear_out(cx);
                self.state.borrow_mut().close(Failed::Io(cause.kind()));
                return Poll::Ready(false);
            }
            sent => sent.is_ready(),
        };
        state.share_room();
        if state.is_over() {
            return Poll::Ready(false);
        }
        let before = self.input.len();
        if before > 0 {
            if let Err(fatal) = state.take(&mut self.input) {
                state.fail(fatal);
            }
            if self.input.len() < before || state.failed.is_some() {
                return Poll::Ready(true);
            }
        }
        let is_choked = state.output.is_choked();
        if self.input.is_empty() {
            // An empty slice still keeps the memory it was cut from.
            self.input = Bytes::new();
        }
        if sent && state.streams.is_empty() && self.input.is_empty() {
            state.rest();
            self.io.rest();
        }
        drop(state);
        let filled = if is_choked { Poll::Pending } else { self.poll_fill(cx) };
        if filled.is_pending() {
            self.state.borrow_mut().rests();
        }
        filled
    }

    /// Takes what came before sending broke: it may say which streams the peer did not look at.
    fn hear_out(&mut self, cx: &mut Context<'_>) {
        for _ in 0..LAST_READS_MAX {
            let mut state = self.state.borrow_mut();
            state.output.clear();
            if let Err(fatal) = state.take(&mut self.input) {
                state.fail(fatal);
            }
            state.output.clear();
            let is_over = state.failed.is_some();
            drop(state);
            if is_over || self.poll_fill(cx).is_pending() {
                return;
            }
        }
    }

    /// Reads on.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        match ready!(self.io.poll_fill(cx)) {
            Ok(more) if more.is_empty() => self.state.borrow_mut().close(Failed::Ended),
            Ok(more) if self.input.is_empty() => self.input = more,
            Ok(more) => self.input = joined(&self.input, &more),
            Err(cause) => self.state.borrow_mut().close(Failed::Io(cause.kind())),
        }
        Poll::Ready(true)
    }
}

impl<I> Drop for Connection<I> {
    fn drop(&mut self) {
        // Nothing will happen any more on streams that outlive it.
        self.state.borrow_mut().close(Failed::Ended);
    }
}

/// How often is read when nothing can be sent any more.
const LAST_READS_MAX: usize = 64;

fn joined(first: &Bytes, second: &Bytes) -> Bytes {
    let mut both = BytesMut::with_capacity(first.len() + second.len());
    both.extend_from_slice(first);
    both.extend_from_slice(second);
    both.freeze()
}
