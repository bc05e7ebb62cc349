//! The server's side of a connection: requests as they come.

use std::{
    cell::RefCell,
    rc::Rc,
    task::{Context, Poll, ready},
};

use super::{
    Connection, Io, Limits, Receiving, RequestHead, Sending,
    state::{Role, State},
};

/// A request.
pub struct Accepted {
    /// Its head; `None` where that has more than may be.
    pub head: Option<RequestHead>,
    /// Its body.
    pub body: Receiving,
    /// Its response.
    pub reply: Sending,
}

/// A request that nobody looked at.
pub(super) struct Fresh {
    pub(super) id: u32,
    pub(super) head: Option<RequestHead>,
}

impl<I: Io> Connection<I> {
    /// The server's side of a connection.
    pub fn server(io: I, limits: Limits) -> Self {
        Self::new(io, State::new(Role::Server, limits))
    }

    /// Drives the connection until the next request; there is none any more once it has ended.
    pub fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Option<Accepted>> {
        loop {
            if let Some(accepted) = accept(&self.state) {
                return Poll::Ready(Some(accepted));
            }
            if !ready!(self.poll_once(cx)) {
                return Poll::Ready(None);
            }
        }
    }
}

fn accept(state: &Rc<RefCell<State>>) -> Option<Accepted> {
    let mut inner = state.borrow_mut();
    let Some(Fresh { id, head }) = inner.fresh.pop_front() else {
        inner.unseen_resets = 0;
        return None;
    };
    drop(inner);
    let body = Receiving::new(Rc::clone(state), id);
    Some(Accepted { head, body, reply: Sending::new(Rc::clone(state), id) })
}
