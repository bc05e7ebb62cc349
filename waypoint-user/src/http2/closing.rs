//! How a connection is closed: what is left is sent, our side ends, and what still comes is read
//! and forgotten until the peer's side ends. A connection that is closed with unread bytes is
//! reset, and the reset may overtake what was sent last.
//!
//! **Invariant:** our side is ended once.
//! **Invariant:** a peer that does not read, or sends on, holds a connection for no longer than
//! whoever closes it says.

use std::{
    future::poll_fn,
    io,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::timeout;

use super::{Connection, Io, connection::Failed};

/// How far a connection is with being closed.
#[derive(Debug, Default)]
pub(super) struct Closing {
    /// Whether our side ended.
    ended: bool,
    /// Whether the peer's did, or is waited for no longer.
    heard: bool,
    /// How much was read and forgotten.
    forgotten: usize,
}

impl<I: Io> Connection<I> {
    /// Closes the connection, as far as that is possible in this time.
    pub async fn close(mut self, patience: Duration) {
        match timeout(patience, poll_fn(|cx| self.poll_close(cx))).await {
            Ok(Ok(())) => {}
            Ok(Err(cause)) => tracing::trace!(%cause, "a connection was gone before it was closed"),
            Err(_) => tracing::trace!("a peer did not read what was left, or did not end"),
        }
    }

    /// Closes the connection: sends and reads at a time, because some peers do not read while they
    /// cannot send.
    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = self.poll_end(cx)?;
        let heard = self.poll_forget(cx)?;
        ready!(ended);
        heard.map(Ok)
    }

    /// Sends what is left, and ends our side.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.closing.ended {
            ready!(self.state.borrow_mut().output.poll_send(&mut self.io, cx))?;
            ready!(self.io.poll_shutdown(cx))?;
            self.closing.ended = true;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads on and forgets it, until the peer's end, or more came than it may have on its way.
    fn poll_forget(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.input = Bytes::new();
        let window = self.state.borrow().limits.connection_window;
        let most = usize::try_from(window).unwrap_or(usize::MAX);
        self.closing.heard |= self.failed().is_some_and(Failed::is_end);
        while !self.closing.heard {
            let read = ready!(self.io.poll_fill(cx))?.len();
            self.closing.forgotten += read;
            self.closing.heard = read == 0 || self.closing.forgotten >= most;
        }
        Poll::Ready(Ok(()))
    }
}
