//! How connections end: with an answer to what is no request, and with time for the client to read
//! the last answer.
//!
//! **Invariant:** a client that does not read holds nothing up for longer than [`LINGER_TIMEOUT`].

use std::{cell::RefCell, future::poll_fn, rc::Rc};

use http::{HeaderMap, Version};
use tokio::time::timeout;

use crate::{
    http1::{Framing, Malformed, ResponseHead},
    proxy::{
        connection::Connection,
        http::tell_malformed,
        limits::{HTTP1_BUFFER_BYTES, LINGER_TIMEOUT},
    },
};

use super::{sending::write_head, wire::Wire};

/// Answers what is no request, and tells of it.
pub(super) async fn refuse(connection: &Rc<Connection>, wire: &RefCell<Wire>, cause: Malformed) {
    tracing::debug!(remote = %connection.remote, %cause, "a client sent what is no request");
    let status = tell_malformed(connection, cause.is_too_much());
    let head = ResponseHead {
        version: Version::HTTP_11,
        status,
        headers: &HeaderMap::new(),
        framing: Framing::Length(0),
        connection: Some("close"),
        date: "",
    };
    write_head(&head, &mut wire.borrow_mut());
    let sending = poll_fn(|cx| wire.borrow_mut().poll_send(cx));
    match timeout(LINGER_TIMEOUT, sending).await {
        Ok(Ok(())) => {}
        Ok(Err(cause)) => tracing::trace!(%cause, "a client did not wait for its refusal"),
        Err(_) => tracing::trace!("a client did not read its refusal"),
    }
}

/// Ends the connection where the client has read, or will read, all that was sent.
pub(super) async fn close(wire: &RefCell<Wire>) {
    let ending = poll_fn(|cx| wire.borrow_mut().poll_shutdown(cx));
    match timeout(LINGER_TIMEOUT, ending).await {
        Ok(Ok(())) => {}
        Ok(Err(cause)) => tracing::trace!(%cause, "a connection was gone before it was closed"),
        Err(_) => tracing::trace!("a client did not read what was left"),
    }
}

/// Ends our side, and reads what still comes for a while: a connection that is closed with unread
/// bytes is reset, and the reset may overtake the last response.
pub(super) async fn linger(wire: &RefCell<Wire>) {
    let lingering = async {
        close(wire).await;
        let mut left = HTTP1_BUFFER_BYTES;
        while let Ok(read @ 1..) = poll_fn(|cx| wire.borrow_mut().poll_discard(cx)).await {
            left = left.saturating_sub(read);
            if left == 0 {
                return;
            }
        }
    };
    // A client that neither reads nor ends is not waited for longer.
    let _late = timeout(LINGER_TIMEOUT, lingering).await;
}
