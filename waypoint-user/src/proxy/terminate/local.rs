//! The door of the node's agent: an abstract address in this process's network namespace.
//!
//! What is said here is neither encrypted nor proven, so it is read from root only.

use std::{io, rc::Rc};

use tokio::net::{UnixListener, UnixStream};

use crate::proxy::{accept, seats::Caller, worker::Worker};

use super::seat;

/// Accepts until the worker drains, and then what waits already.
pub(super) async fn accept(worker: Rc<Worker>, listener: UnixListener) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = worker.drain.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => admit(&worker, stream),
            Err(cause) => accept::rest(&worker, &cause).await,
        }
    }
    if let Err(cause) = accept_backlog(&worker, listener) {
        tracing::warn!(%cause, "connections of the agent that waited were closed");
    }
}

/// Accepts what waits already; the listener is shared by all workers.
fn accept_backlog(worker: &Rc<Worker>, listener: UnixListener) -> io::Result<()> {
    let listener = listener.into_std()?;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(true)?;
                admit(worker, UnixStream::from_std(stream)?);
            }
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(cause) => return Err(cause),
        }
    }
}

/// Lets root in.
fn admit(worker: &Rc<Worker>, stream: UnixStream) {
    let uid = stream.peer_cred().map(|peer| peer.uid());
    if !matches!(uid, Ok(ROOT)) {
        tracing::warn!(?uid, "somebody else than the agent knocked at its door");
        return;
    }
    match stream.into_std() {
        Ok(stream) => seat(worker, Caller::Agent(stream)),
        Err(cause) => tracing::debug!(%cause, "a connection of the agent was gone at once"),
    }
}

/// The user that the agent is.
const ROOT: u32 = 0;
