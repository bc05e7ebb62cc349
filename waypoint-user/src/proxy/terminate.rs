//! A waypoint's own doors: where HBONE ends that is meant for this process.
//!
//! Each stream is a connection of a client. It is granted at once if its destination is one of this
//! waypoint's, before anything is known of endpoints, and refused otherwise.
//!
//! **Invariant:** who a client is comes from its certificate, or from the agent of this node at a
//! door that only root can knock at; never from what else a peer says, unless the mesh agrees (see
//! [`headed`]).

use std::{
    io,
    net::{SocketAddr, TcpListener},
    os::unix::net::UnixListener,
    rc::Rc,
    sync::Arc,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    task::JoinHandle,
    time::timeout,
};

use crate::{hbone, identity::TlsPeer, telemetry::task};

use self::streams::{Carrier, Speaker, destination};
pub(super) use self::{headed::admit as headed, plain::admit as plain};
use super::{
    accept, late,
    limits::TUNNEL_TIMEOUT,
    proof::revoked,
    seats::{Arrival, Caller, Seat},
    socket,
    worker::Worker,
};

mod headed;
mod local;
mod plain;
mod streams;

/// Starts to accept at a worker's doors; each of the tasks ends after a drain began, when it has
/// taken all that waited.
pub(super) fn open(
    worker: &Rc<Worker>,
    hbone: Vec<TcpListener>,
    local: Vec<UnixListener>,
) -> io::Result<Vec<JoinHandle<()>>> {
    let mut accepting = Vec::new();
    for listener in hbone {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let accept = accept::accept(Rc::clone(worker), listener, from_network);
        accepting.push(task::spawn_local("accept hbone", accept));
    }
    for listener in local {
        let listener = tokio::net::UnixListener::from_std(listener)?;
        let accept = local::accept(Rc::clone(worker), listener);
        accepting.push(task::spawn_local("accept agent", accept));
    }
    if !accepting.is_empty() {
        accepting.push(task::spawn_local("arrivals", receive(Rc::clone(worker))));
    }
    Ok(accepting)
}

/// Takes a connection from the network to its seat.
fn from_network(worker: &Rc<Worker>, stream: TcpStream, remote: SocketAddr) {
    let remote = accept::canonical(remote);
    match socket::prepare(&stream).and_then(|()| stream.into_std()) {
        Ok(stream) => seat(worker, Caller::Peer(stream, remote)),
        Err(cause) => tracing::debug!(%cause, "a connection was gone before it was served"),
    }
}

/// Has a connection served by the worker that has the fewest, or drops it when all have too many.
fn seat(worker: &Rc<Worker>, caller: Caller) {
    let Some(seat) = worker.seats.take(worker.settings.tunnels_max) else {
        worker.limits.tunnels.hit();
        return;
    };
    let arrival = Arrival { caller, seat };
    if worker.seats.is_here(&arrival.seat) {
        serve(worker, arrival);
    } else if let Err(back) = worker.seats.hand_over(arrival) {
        serve(worker, back);
    }
}

/// Serves what other workers accept, and after a drain began what they had accepted by then.
async fn receive(worker: Rc<Worker>) {
    let Some(mut arrivals) = worker.seats.arrivals() else { return };
    loop {
        let arrival = tokio::select! {
            biased;
            () = worker.drain.cancelled() => break,
            arrival = arrivals.recv() => arrival,
        };
        let Some(arrival) = arrival else { return };
        serve(&worker, arrival);
    }
    arrivals.close();
    while let Some(arrival) = arrivals.recv().await {
        serve(&worker, arrival);
    }
}

/// Starts to serve a connection.
fn serve(worker: &Rc<Worker>, Arrival { caller, seat }: Arrival) {
    let worker = Rc::clone(worker);
    let started = match caller {
        Caller::Peer(stream, remote) => TcpStream::from_std(stream).map(|stream| {
            task::spawn_local("hbone", serve_peer(worker, (stream, remote), seat));
        }),
        Caller::Agent(stream) => UnixStream::from_std(stream).map(|stream| {
            task::spawn_local("hbone of the agent", serve_agent(worker, stream, seat));
        }),
    };
    if let Err(cause) = started {
        tracing::warn!(%cause, "a connection of HBONE was lost");
    }
}

/// Serves a connection from the network to its end.
async fn serve_peer(worker: Rc<Worker>, (stream, remote): (TcpStream, SocketAddr), _seat: Seat) {
    // Boxed, so that an idle connection has no room for a handshake.
    let secured = Box::pin(timeout(TUNNEL_TIMEOUT, secure(&worker, stream))).await;
    let secured = secured.unwrap_or_else(|_| {
        worker.limits.tls_handshake.hit();
        Err(hbone::Error::Tls("not agreed upon in time".to_owned()))
    });
    let (stream, peer) = match secured {
        Ok(secured) => secured,
        Err(cause) => {
            worker.gauges.handshake_failed();
            tracing::debug!(%remote, %cause, "a peer and we did not agree on TLS");
            return;
        }
    };
    let identity = Arc::clone(&peer.identity);
    let carrier = Carrier::new(&worker, Speaker::Peer { identity, remote });
    let each = |incoming| carrier.admit(incoming);
    tokio::select! {
        served = hbone::serve(stream, &worker.hbone, worker.drain.clone(), each) => {
            if let Err(cause) = served {
                tracing::debug!(%remote, %cause, "a connection of HBONE broke");
            }
        }
        () = revoked(&worker, &peer) => {
            tracing::info!(%remote, identity = %peer.identity, "a peer was revoked and is cut");
        }
    }
}

/// Serves a connection of the agent to its end.
async fn serve_agent(worker: Rc<Worker>, stream: UnixStream, _seat: Seat) {
    let carrier = Carrier::new(&worker, Speaker::Agent);
    let each = |incoming| carrier.admit(incoming);
    if let Err(cause) = hbone::serve(stream, &worker.hbone, worker.drain.clone(), each).await {
        tracing::debug!(%cause, "a connection of the agent broke");
    }
}

/// Whether a destination is bound here, or comes to be in a moment.
async fn takes(worker: &Worker, address: SocketAddr) -> bool {
    let asked = hbone::Authority::Address(address);
    let duty = &worker.settings.duty;
    if destination(duty, &asked, worker.view().snapshot()).is_some() {
        return true;
    }
    let Some(turn) = late::turn_for(worker, &asked) else { return false };
    late::until(worker, turn, |mesh| destination(duty, &asked, mesh)).await.is_some()
}

/// Agrees on TLS as the waypoint; waits for its certificate where that is not there yet.
async fn secure(
    worker: &Worker,
    stream: TcpStream,
) -> Result<(impl AsyncRead + AsyncWrite + Unpin + use<>, TlsPeer), hbone::Error> {
    let (Some(identities), Some(own)) = (&worker.identities, &worker.settings.identity) else {
        return Err(hbone::Error::Tls("this process has no identity".to_owned()));
    };
    let credentials = identities.credentials(own).await;
    let credentials = credentials.map_err(|cause| hbone::Error::Tls(cause.to_string()))?;
    hbone::tls::accept(stream, &credentials).await
}
