//! HTTP/1 connections from clients, with a codec of our own.
//!
//! One task drives a connection: it reads a request, answers it, and reads the next. The body of a
//! request is read by whoever sends it on, straight from the connection.
//!
//! **Invariant:** requests are answered one after the other, in the order in which they came.
//! **Invariant:** a response that broke never looks complete; the connection ends with it.
//! **Invariant:** an idle connection holds no buffer, and no room for a request.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;

use crate::{
    http1::{self, Malformed},
    proxy::{connection::Connection, stream::Stream},
};

pub(super) use self::body::{Body, Broken};
use self::{
    end::{close, linger, refuse},
    talk::{After, converse},
    wire::{NoRequest, Wire},
};
use super::patience::Patience;

mod body;
mod end;
mod sending;
mod talk;
mod wire;

/// Serves the requests of a connection.
pub(in crate::proxy) async fn serve_http1(
    connection: Rc<Connection>,
    stream: Stream,
    first: Bytes,
) {
    let wire = Rc::new(RefCell::new(Wire::new(stream, first)));
    let mut patience = Patience::new();
    let mut drain = pin!(connection.worker.drain.cancelled());
    loop {
        let next = poll_fn(|cx| poll_next(&wire, &mut patience, drain.as_mut(), cx)).await;
        let after = match next {
            // Boxed, so that an idle connection has no room for a request.
            Next::Request(request) => Box::pin(converse(&connection, &wire, *request)).await,
            Next::Malformed(cause) => {
                Box::pin(refuse(&connection, &wire, cause)).await;
                After::Linger
            }
            Next::Late => {
                connection.worker.limits.header_timeout.hit();
                After::Close
            }
            Next::Nothing => After::Close,
        };
        match after {
            After::Keep => {
                wire.borrow_mut().rest();
                patience.renew();
            }
            After::Close => return Box::pin(close(&wire)).await,
            After::Linger => return Box::pin(linger(&wire)).await,
            After::Cut => return,
            After::Change(tunnel) => {
                let Some((stream, first)) = wire.borrow_mut().take() else { return };
                return Box::pin(tunnel.run(stream, first)).await;
            }
        }
    }
}

/// What a connection has next.
enum Next {
    Request(Box<http1::Request>),
    Malformed(Malformed),
    /// It took too long.
    Late,
    /// The client is gone, or a drain began and nothing was asked.
    Nothing,
}

/// Waits for the head of the next request.
fn poll_next(
    wire: &RefCell<Wire>,
    patience: &mut Patience,
    drain: Pin<&mut impl Future<Output = ()>>,
    cx: &mut Context<'_>,
) -> Poll<Next> {
    let mut wire = wire.borrow_mut();
    match wire.poll_head(cx) {
        Poll::Ready(Ok(request)) => return Poll::Ready(Next::Request(Box::new(request))),
        Poll::Ready(Err(NoRequest::Malformed(cause))) => {
            return Poll::Ready(Next::Malformed(cause));
        }
        Poll::Ready(Err(cause)) => {
            tracing::trace!(%cause, "a connection ended");
            return Poll::Ready(Next::Nothing);
        }
        Poll::Pending => {}
    }
    if wire.has_begun() {
        patience.hurry();
    } else if drain.poll(cx).is_ready() {
        return Poll::Ready(Next::Nothing);
    }
    patience.poll(cx).map(|()| Next::Late)
}

#[cfg(test)]
mod tests;
