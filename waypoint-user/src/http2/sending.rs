//! Our half of a stream: a response's head, and a body.

use std::{
    cell::RefCell,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::{Broken, Reason, state::State};

/// Our half of a stream. Dropping it before its end resets the stream.
pub struct Sending {
    state: Rc<RefCell<State>>,
    id: u32,
}

impl Sending {
    pub(super) fn new(state: Rc<RefCell<State>>, id: u32) -> Self {
        Self { state, id }
    }

    /// Sends the head of a response, and with it the end where there is no body.
    pub fn respond(
        &mut self,
        status: StatusCode,
        headers: &HeaderMap,
        ends: bool,
    ) -> Result<(), Broken> {
        self.state.borrow_mut().respond(self.id, status, headers, ends)
    }

    /// How many bytes may be sent now: at least one.
    pub fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Broken>> {
        self.state.borrow_mut().poll_room(self.id, cx)
    }

    /// Sends from the front of a piece as much as there is room for; the end goes with the last of
    /// it.
    pub fn send(&mut self, piece: &mut Bytes, ends: bool) -> Result<(), Broken> {
        self.state.borrow_mut().send(self.id, piece, ends)
    }

    /// Sends all of a piece; the end goes with the last of it.
    pub fn poll_send(
        &mut self,
        piece: &mut Bytes,
        ends: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Broken>> {
        let mut state = self.state.borrow_mut();
        while !piece.is_empty() {
            ready!(state.poll_room(self.id, cx))?;
            state.send(self.id, piece, ends)?;
            if piece.is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
        Poll::Ready(if ends { state.send(self.id, piece, true) } else { Ok(()) })
    }

    /// Sends the end.
    pub fn end(&mut self) -> Result<(), Broken> {
        self.send(&mut Bytes::new(), true)
    }

    /// Sends trailers, and with them the end.
    pub fn trailers(&mut self, trailers: &HeaderMap) -> Result<(), Broken> {
        self.state.borrow_mut().send_trailers(self.id, trailers)
    }

    /// Why nothing more may be sent, once that is so.
    pub fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<Broken> {
        self.state.borrow_mut().poll_reset(self.id, cx)
    }

    /// Resets the stream.
    pub fn reset(&mut self, reason: Reason) {
        let mut state = self.state.borrow_mut();
        if state.streams.get(&self.id).is_some_and(super::entry::Entry::is_open) {
            state.reset(self.id, reason, Broken::Dropped);
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.state.borrow_mut().drop_writer(self.id);
    }
}
