//! The door of an agent that terminates HBONE for this waypoint: TCP, with a header of PROXY
//! protocol in front of each connection that says who the client is and what it dialled.
//!
//! Nothing there is encrypted, and nobody proves to be the agent.
//!
//! **Invariant:** a header is believed only about the address that the connection itself comes
//! from, and only if the mesh has a pod there with that identity. Agents connect in the client's
//! name; so whoever else reaches this door can be nobody but itself.
//! **Invariant:** no byte behind the header is read before the header is believed.

use std::{io, net::SocketAddr, rc::Rc, sync::Arc};

use tokio::{io::AsyncReadExt, net::TcpStream, time::timeout};

use crate::{
    hbone::proxy_protocol::{Begin, Told, parse},
    mesh::{request::Origin, snapshot::Snapshot, spiffe::SpiffeId},
    proxy::{
        accept::canonical,
        connection::Connection,
        late,
        limits::PROXY_HEADER_TIMEOUT,
        socket::{self, reset_on_drop},
        stream::Stream,
        worker::{Place, Worker},
    },
    telemetry::task,
};

use super::takes;

/// Starts to serve a connection, or resets it when there is no place.
pub(in crate::proxy) fn admit(worker: &Rc<Worker>, stream: TcpStream, remote: SocketAddr) {
    let Some(place) = worker.place() else {
        reset_on_drop(&stream);
        return;
    };
    if let Err(cause) = socket::prepare(&stream) {
        tracing::debug!(%cause, "a connection was gone before it was served");
        return;
    }
    task::spawn_local("headed connection", serve(place, stream, canonical(remote)));
}

/// Reads the header and serves the connection behind it.
async fn serve(place: Place, mut stream: TcpStream, remote: SocketAddr) {
    let worker = Rc::clone(place.worker());
    let reading = timeout(PROXY_HEADER_TIMEOUT, read(&mut stream));
    let told = tokio::select! {
        told = reading => told.unwrap_or(Err(Wrong::Late)),
        // Nothing was asked, so nothing is lost.
        () = worker.drain_patience() => return,
    };
    let believed = async {
        let told = told?;
        let identity = believe(&worker, &told, remote).await?;
        Ok((told, identity))
    };
    let (told, identity) = match believed.await {
        Ok(believed) => believed,
        Err(Wrong::Nothing) => return,
        Err(wrong) => {
            worker.limits.proxy_headers.hit();
            tracing::debug!(%remote, %wrong, "a connection has no PROXY header that is believed");
            return reset_on_drop(&stream);
        }
    };
    let connection =
        Connection::new(place, told.source, told.destination, Origin::Tunnel(identity));
    if !takes(&worker, told.destination).await {
        reset_on_drop(&stream);
        return connection.refuse(&worker.view(), None);
    }
    connection.serve(Stream::Tcp(stream)).await;
}

/// Reads the header, and not a byte more.
async fn read(stream: &mut TcpStream) -> Result<Told, Wrong> {
    let mut bytes = Vec::new();
    loop {
        let needed = match parse(&bytes) {
            Begin::Header(_, Some(told)) => return Ok(told),
            Begin::Header(_, None) => return Err(Wrong::Unproxied),
            Begin::Other => return Err(Wrong::Malformed),
            Begin::Short(needed) => needed,
        };
        let missing = needed.saturating_sub(bytes.len()) as u64;
        match (&mut *stream).take(missing).read_buf(&mut bytes).await {
            Ok(0) | Err(_) if bytes.is_empty() => return Err(Wrong::Nothing),
            Ok(0) => return Err(Wrong::Ended(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => {}
            Err(cause) => return Err(Wrong::Ended(cause)),
        }
    }
}

/// The client's identity, if the mesh has it where the connection comes from, or comes to have it
/// in a moment.
async fn believe(worker: &Worker, told: &Told, remote: SocketAddr) -> Result<Arc<SpiffeId>, Wrong> {
    if told.source.ip() != remote.ip() {
        return Err(Wrong::Elsewhere(told.source));
    }
    let claimed = told.identity.as_deref().and_then(SpiffeId::parse);
    let claimed = claimed.ok_or(Wrong::Nobody)?;
    let known = |mesh: &Snapshot| {
        let pod = mesh.workload_of_address(remote.ip());
        pod.map(|pod| Arc::clone(&pod.identity)).filter(|identity| **identity == claimed)
    };
    if let Some(identity) = known(worker.view().snapshot()) {
        return Ok(identity);
    }
    let found = match late::turn(worker) {
        Some(turn) => late::until(worker, turn, known).await,
        None => None,
    };
    found.ok_or(Wrong::Another(claimed))
}

/// Why a connection is not served.
#[derive(Debug, thiserror::Error)]
enum Wrong {
    /// It ended, or was reset, without a byte; as those of whoever looks whether a port is open.
    #[error("nothing was said")]
    Nothing,
    /// It ended in the middle.
    #[error("the header ended: {0}")]
    Ended(io::Error),
    /// It took too long.
    #[error("the header took too long")]
    Late,
    /// It is none, or none that is read here, or too long.
    #[error("there is no header of PROXY protocol, version 2, for TCP")]
    Malformed,
    /// It is of the proxy's own.
    #[error("the header names no client")]
    Unproxied,
    /// It tells of a client at another address.
    #[error("the header is of a client at {0}")]
    Elsewhere(SocketAddr),
    /// It does not say who the client is.
    #[error("the header tells no identity")]
    Nobody,
    /// It tells another identity than the mesh has.
    #[error("the mesh has no pod of {0} at the client's address")]
    Another(SpiffeId),
}
