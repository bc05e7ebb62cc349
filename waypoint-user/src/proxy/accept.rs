//! The accept loops.
//!
//! **Invariant:** what the kernel has already accepted for us when a drain begins is served, not
//! reset.

use std::{io, net::SocketAddr, rc::Rc};

use nix::errno::Errno;
use tokio::net::{TcpListener, TcpStream};

use crate::{mesh::request::Origin, telemetry::task};

use super::{
    Duty, connection::Connection, limits::ACCEPT_PAUSE, socket, socket::reset_on_drop,
    stream::Stream, tunnel, worker::Worker,
};

/// What is done with a connection that was accepted.
pub(super) type Admit = fn(&Rc<Worker>, TcpStream, SocketAddr);

/// Accepts until the worker drains, and then what waits already.
pub(super) async fn accept(worker: Rc<Worker>, listener: TcpListener, admit: Admit) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = worker.drain.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        admit_or_rest(&worker, accepted, admit).await;
    }
    if let Err(cause) = accept_backlog(&worker, listener, admit) {
        tracing::warn!(%cause, "connections that waited when the drain began were reset");
    }
}

/// Accepts what waits already. The kernel is asked itself, because the runtime may not have heard
/// yet of connections that came a moment ago.
fn accept_backlog(worker: &Rc<Worker>, listener: TcpListener, admit: Admit) -> io::Result<()> {
    let listener = listener.into_std()?;
    loop {
        match listener.accept() {
            Ok((stream, remote)) => {
                stream.set_nonblocking(true)?;
                admit(worker, TcpStream::from_std(stream)?, remote);
            }
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(cause) => return Err(cause),
        }
    }
}

/// Admits what was accepted; rests when there are no file descriptors, instead of spinning.
async fn admit_or_rest(
    worker: &Rc<Worker>,
    accepted: io::Result<(TcpStream, SocketAddr)>,
    admit: Admit,
) {
    match accepted {
        Ok((stream, remote)) => admit(worker, stream, remote),
        Err(cause) => rest(worker, &cause).await,
    }
}

/// Rests when accepting failed because there are no file descriptors.
pub(super) async fn rest(worker: &Worker, cause: &io::Error) {
    if out_of_descriptors(cause) {
        worker.limits.file_descriptors.hit();
        tokio::time::sleep(ACCEPT_PAUSE).await;
    } else {
        tracing::debug!(%cause, "a connection was gone before it was accepted");
    }
}

/// Starts to serve a connection that the kernel captured, or resets it when there is no place.
pub(super) fn captured(worker: &Rc<Worker>, stream: TcpStream, remote: SocketAddr) {
    let origin = (worker.origins)(socket::mark(&stream));
    if origin == Origin::Probe {
        return;
    }
    let (Some(place), Ok(local)) = (worker.place(), stream.local_addr()) else {
        reset_on_drop(&stream);
        return;
    };
    if let Err(cause) = socket::prepare(&stream) {
        tracing::debug!(%cause, "a connection was gone before it was served");
        return;
    }
    let connection = Connection::new(place, canonical(remote), canonical(local), origin);
    let stream = Stream::Tcp(stream);
    if matches!(worker.settings.duty, Duty::Node(_)) {
        task::spawn_local("connection", tunnel::serve(connection, stream));
    } else {
        task::spawn_local("connection", connection.serve(stream));
    }
}

/// An address without IPv4 mapped into IPv6.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Whether the process or the system has no file descriptor or memory for a socket.
fn out_of_descriptors(cause: &io::Error) -> bool {
    let codes = [Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM];
    codes.iter().any(|code| cause.raw_os_error() == Some(*code as i32))
}
