//! The destination's node: HBONE for its pods, terminated, judged and delivered.
//!
//! It reads nothing of what a stream carries.
//!
//! **Invariant:** a pod's connections prove that pod's identity and no other, and end at once when
//! the pod is gone.
//! **Invariant:** a stream is granted only when the application has taken the connection.

use std::{net::SocketAddr, rc::Rc, sync::Arc};

use tokio::{net::TcpStream, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    hbone,
    identity::TlsPeer,
    mesh::{snapshot::Snapshot, spiffe::SpiffeId, workload::Workload},
    select,
    telemetry::task,
};

use self::deliver::deliver;
use super::{
    Duty, accept::canonical, failure::Failure, flow::broken, limits::TUNNEL_TIMEOUT, proof,
    proof::revoked, socket, socket::reset_on_drop, worker::Worker,
};

mod claim;
mod deliver;
mod preface;

/// Who is on a connection.
pub(super) struct Line {
    /// The worker that serves it.
    worker: Rc<Worker>,
    /// The pod that it is for.
    pod: Arc<Workload>,
    /// The other side's address.
    remote: SocketAddr,
    /// Our address, which is the pod's.
    local: SocketAddr,
    /// The identity that the other side proved.
    identity: Arc<SpiffeId>,
    /// Ends everything on it.
    cut: CancellationToken,
}

/// What an authority is, to choose by.
impl<'a> From<&'a hbone::Authority> for select::Authority<'a> {
    fn from(authority: &'a hbone::Authority) -> Self {
        match authority {
            hbone::Authority::Address(address) => Self::Address(*address),
            hbone::Authority::Host(host, port) => Self::Host(host, *port),
        }
    }
}

/// Starts to serve a connection to a pod of this node, or resets one to anybody else, and those
/// beyond [`Settings::tunnels_max`](super::Settings::tunnels_max). It stays at this worker: what it
/// carries belongs to one pod.
pub(super) fn admit(worker: &Rc<Worker>, stream: TcpStream, remote: SocketAddr) {
    let local = stream.local_addr().map(canonical);
    let pod = local.as_ref().ok().and_then(|local| pod_at(worker, *local));
    let (Ok(local), Some(pod)) = (local, pod) else {
        tracing::debug!(%remote, "hbone for no pod of this node");
        reset_on_drop(&stream);
        return;
    };
    let Some(seat) = worker.seats.take_here(worker.settings.tunnels_max) else {
        worker.limits.tunnels.hit();
        reset_on_drop(&stream);
        return;
    };
    if let Err(cause) = socket::prepare(&stream) {
        tracing::debug!(%cause, "a connection was gone before it was served");
        return;
    }
    let ends = (canonical(remote), local);
    let serving = serve(Rc::clone(worker), pod, stream, ends);
    task::spawn_local("inbound", async move {
        serving.await;
        drop(seat);
    });
}

/// The pod of this node that has an address.
fn pod_at(worker: &Worker, local: SocketAddr) -> Option<Arc<Workload>> {
    let Duty::Node(node) = &worker.settings.duty else { return None };
    let view = worker.view();
    let pod = view.snapshot().workload_of_address(local.ip())?;
    (pod.node == node.name).then(|| Arc::clone(pod))
}

/// Serves a connection to its end.
async fn serve(
    worker: Rc<Worker>,
    pod: Arc<Workload>,
    stream: TcpStream,
    (remote, local): (SocketAddr, SocketAddr),
) {
    let secured = timeout(TUNNEL_TIMEOUT, secure(&worker, &pod, stream)).await;
    let late = |_| Failure::Tunnel(hbone::Error::Tls("not agreed upon in time".to_owned()));
    let (stream, peer) = match secured.map_err(late).flatten() {
        Ok(secured) => secured,
        Err(failure) => return deliver::refused(&worker, &pod, (remote, local), &failure),
    };
    let cut = CancellationToken::new();
    let line = Line {
        worker: Rc::clone(&worker),
        pod: Arc::clone(&pod),
        remote,
        local,
        identity: Arc::clone(&peer.identity),
        cut: cut.clone(),
    };
    let line = Rc::new(line);
    let each = |incoming| {
        task::spawn_local("delivery", deliver(Rc::clone(&line), incoming));
    };
    let serving = hbone::serve(stream, &worker.hbone, worker.drain.clone(), each);
    let gone =
        broken(&worker, |view| (!is_same(&pod, view.snapshot())).then_some(Failure::PodGone));
    tokio::select! {
        biased;
        _ = gone => cut.cancel(),
        () = revoked(&worker, &peer) => {
            tracing::info!(%remote, identity = %peer.identity, "a peer was revoked and is cut");
        }
        ended = serving => if let Err(cause) = ended {
            tracing::debug!(%remote, %cause, "a connection of hbone broke");
        },
    }
}

/// Agrees on TLS in the name of the pod.
async fn secure(
    worker: &Worker,
    pod: &Workload,
    stream: TcpStream,
) -> Result<(impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + use<>, TlsPeer), Failure> {
    let credentials = proof::of(worker, pod).await?;
    Ok(hbone::tls::accept(stream, &credentials).await?)
}

/// Whether a pod is still the one that it was, with the identity that it had.
fn is_same(pod: &Workload, snapshot: &Snapshot) -> bool {
    let now = snapshot.workloads().get(&pod.name);
    now.is_some_and(|now| now.uid == pod.uid && now.identity == pod.identity)
}
