//! The client's side of a connection: requests as they are asked.

use std::{
    cell::RefCell,
    rc::Rc,
    task::{Context, Poll, ready},
};

use http::{HeaderMap, Method};

use super::{
    Broken, Connection, Failed, Io, Limits, Receiving, Sending,
    frame::ID_MASK,
    state::{Role, State},
};

/// The head of a request that is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    /// The method.
    pub method: &'q Method,
    /// `http` or `https`; none where a plain CONNECT is asked.
    pub scheme: Option<&'q str>,
    /// The host, with its port where that is told; empty where it is not known.
    pub authority: &'q str,
    /// The path, with its query; none where a plain CONNECT is asked.
    pub path: Option<&'q str>,
    /// What an extended CONNECT asks for (RFC 8441).
    pub protocol: Option<&'q str>,
    /// The fields.
    pub headers: &'q HeaderMap,
}

/// Why nothing was asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unsent {
    /// The peer takes no more streams at this time.
    #[error("the peer takes no more streams at a time")]
    Full,
    /// The connection takes no more streams at all.
    #[error("the connection takes no more streams")]
    Closed,
}

/// Opens streams on a connection, which ends once nobody may open any, and all are over.
pub struct Sender {
    state: Rc<RefCell<State>>,
}

impl<I: Io> Connection<I> {
    /// The client's side of a connection.
    pub fn client(io: I, limits: Limits) -> (Self, Sender) {
        let connection = Self::new(io, State::new(Role::Client, limits));
        let sender = Sender::new(&connection.state);
        (connection, sender)
    }

    /// Drives the connection to its end.
    pub fn poll_drive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while ready!(self.poll_once(cx)) {}
        Poll::Ready(())
    }

    /// Whether nobody may open streams, and all are over; what was queued may still have to leave.
    pub fn is_let_go(&self) -> bool {
        let state = self.state.borrow();
        state.senders == 0 && state.open == 0
    }
}

impl Sender {
    fn new(state: &Rc<RefCell<State>>) -> Self {
        state.borrow_mut().senders += 1;
        Self { state: Rc::clone(state) }
    }

    /// Opens a stream and asks; the request may have no body.
    pub fn ask(&self, question: &Question<'_>, ends: bool) -> Result<(Sending, Receiving), Unsent> {
        if !self.is_open() {
            return Err(Unsent::Closed);
        }
        if self.streams() >= self.streams_max() || self.is_choked() {
            return Err(Unsent::Full);
        }
        let id = self.state.borrow_mut().ask(question, ends);
        let sending = Sending::new(Rc::clone(&self.state), id);
        Ok((sending, Receiving::new(Rc::clone(&self.state), id)))
    }

    /// Whether streams may be opened, now or later.
    pub fn is_open(&self) -> bool {
        let state = self.state.borrow();
        state.failed.is_none() && !state.is_left() && state.next_own < ID_MASK
    }

    /// Whether so much waits to be sent that nothing more is asked.
    pub fn is_choked(&self) -> bool {
        self.state.borrow().output.is_choked()
    }

    /// Why streams broke that were open at its end, once it ended.
    pub fn broken(&self) -> Option<Broken> {
        self.state.borrow().failed.map(Failed::breaks)
    }

    /// Streams that are open.
    pub fn streams(&self) -> usize {
        self.state.borrow().open
    }

    /// Streams that the peer takes at a time.
    pub fn streams_max(&self) -> usize {
        usize::try_from(self.state.borrow().peer.streams_max).unwrap_or(usize::MAX)
    }

    /// Waits until the peer has said what it takes, or the connection ended.
    pub fn poll_told(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.borrow_mut();
        if state.peer.told || state.failed.is_some() {
            return Poll::Ready(());
        }
        let known = state.settings_waits.iter().any(|known| known.will_wake(cx.waker()));
        if !known {
            state.settings_waits.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Whether the peer takes an extended CONNECT, as far as it has said so.
    pub fn takes_changes(&self) -> bool {
        self.state.borrow().peer.takes_changes
    }
}

impl Clone for Sender {
    fn clone(&self) -> Self {
        Self::new(&self.state)
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let mut state = self.state.borrow_mut();
        state.senders -= 1;
        if state.senders == 0 {
            state.wake_driver();
        }
    }
}
