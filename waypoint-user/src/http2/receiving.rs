//! The peer's half of a stream: a response's head, and a body.

use std::{
    cell::RefCell,
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::{
    Broken, Piece, ResponseHead,
    entry::{Entry, wait},
    state::State,
};

/// The peer's half of a stream. Dropping it before its end resets the stream, unless a response
/// goes on without the rest of its request.
pub struct Receiving {
    state: Rc<RefCell<State>>,
    id: u32,
}

impl Receiving {
    pub(super) fn new(state: Rc<RefCell<State>>, id: u32) -> Self {
        Self { state, id }
    }

    /// The next head of a response; the last of them is no interim one.
    pub fn poll_response(&mut self, cx: &mut Context<'_>) -> Poll<Result<ResponseHead, Broken>> {
        let mut state = self.state.borrow_mut();
        let Some(entry) = state.streams.get_mut(&self.id) else {
            return Poll::Ready(Err(Broken::Closed));
        };
        if let Some(head) = entry.heads.pop_front() {
            return Poll::Ready(Ok(head));
        }
        if let Some(broken) = entry.broken {
            return Poll::Ready(Err(broken));
        }
        wait(&mut entry.reader, cx);
        Poll::Pending
    }

    /// The next piece of the body. Asking for it tells a client that waits for that to send it.
    pub fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Piece, Broken>>> {
        let mut state = self.state.borrow_mut();
        if let Some(piece) = state.take_piece(self.id) {
            return Poll::Ready(Some(Ok(piece)));
        }
        state.poll_end(self.id, cx).map(|broken| broken.map(Err))
    }

    /// The next bytes of the body, so many at most; its trailers are passed over.
    pub fn poll_bytes(
        &mut self,
        most: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Broken>>> {
        let mut state = self.state.borrow_mut();
        if let Some(bytes) = state.take_bytes(self.id, most) {
            return Poll::Ready(Some(Ok(bytes)));
        }
        state.poll_end(self.id, cx).map(|broken| broken.map(Err))
    }

    /// Waits until bytes have come that were not taken, or none will come any more; takes nothing.
    pub fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.borrow_mut();
        match state.streams.get(&self.id) {
            Some(entry) if !entry.inbox.is_empty() => Poll::Ready(()),
            _ => state.poll_end(self.id, cx).map(drop),
        }
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Whether nothing comes any more. Of a body that turned out to be empty, which had not ended
    /// with its head, that is so only once it was asked for: some peers tell the two apart.
    pub fn is_end(&self) -> bool {
        self.see(is_over).unwrap_or_default()
    }

    /// How much of the body is still to be taken, where that is known.
    pub fn left(&self) -> Option<u64> {
        let state = self.state.borrow();
        let entry = state.streams.get(&self.id)?;
        if is_over(entry) {
            return Some(0);
        }
        let waiting = entry.inbox.len() as u64;
        // Trailers would be lost with a length that is told.
        let told = entry.left.filter(|_| entry.inbox.is_untrailed());
        told.map(|left| left + state.coming(self.id) as u64 + waiting)
    }

    /// Whether the client waits to be told to send its body.
    pub fn awaits_leave(&self) -> bool {
        self.see(|entry| entry.awaits_leave && entry.inbox.is_empty()).unwrap_or_default()
    }

    /// Tells the client what comes before the final response, unless that was sent already, or so
    /// much waits that it can do without; only leave to send a body is always told.
    pub fn hint(&self, status: StatusCode, headers: &HeaderMap) {
        let mut state = self.state.borrow_mut();
        if status != StatusCode::CONTINUE && state.output.is_choked() {
            tracing::debug!(%status, "a client that does not read is not told of it");
            return;
        }
        let told = state.respond(self.id, status, headers, false);
        tracing::trace!(?told, %status, "a client was told what comes before the response");
    }

    fn see<T>(&self, look: impl FnOnce(&Entry) -> T) -> Option<T> {
        self.state.borrow().streams.get(&self.id).map(look)
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.state.borrow_mut().drop_reader(self.id);
    }
}

/// Whether nothing comes any more, and nothing is left that nobody has heard of.
fn is_over(entry: &Entry) -> bool {
    entry.receive_ended && entry.inbox.is_empty() && !entry.end_waits
}
