//! One stream: judged, delivered to the application, and told of.

use std::{net::SocketAddr, rc::Rc, sync::Arc};

use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    hbone::{Authority, Connect, Incoming, Refusal},
    mesh::{
        request::{Origin, Peer},
        snapshot::Snapshot,
        workload::Workload,
    },
    policy::{Policies, Subject, Verdict},
    proxy::{
        failure::Failure,
        flow::{Flow, broken},
        late,
        network::Vantage,
        peer::identify,
        socket,
        stream::Stream,
        view::View,
        worker::Worker,
    },
    select::{self, Inbound},
    telemetry::{access::Direction, metrics::traffic::Security},
};

use super::{Line, claim, preface};

/// Serves one stream to its end.
pub(super) async fn deliver(line: Rc<Line>, mut incoming: Incoming) {
    let Some(place) = line.worker.place() else {
        return incoming.refuse(Refusal::Unavailable);
    };
    if !hear_of_binding(&line, &mut incoming).await {
        return;
    }
    let view = line.worker.view();
    let ends = (line.remote, asked(&incoming.connect.authority).unwrap_or(line.local));
    let mut flow = Flow::new(&line.worker, Direction::Inbound, ends, Some(place));
    let peer = peer(&line, &view, &incoming);
    note(&mut flow, &line, &peer);
    let delivery = match judge(&line, &view, (&incoming.connect, &peer), &mut flow) {
        Ok(delivery) => delivery,
        Err((refusal, failure)) => {
            incoming.refuse(refusal);
            return flow.fail(&failure);
        }
    };
    drop(view);
    let application = match connect(&line, &mut incoming, delivery).await {
        Ok(application) => application,
        Err(failure) => {
            incoming.refuse(Refusal::Unavailable);
            return flow.fail(&failure);
        }
    };
    match incoming.accept() {
        Ok(stream) => {
            let revoked = broken(&line.worker, |view| {
                let guard = view.guard(&line.pod);
                check(&guard, &peer, delivery.destination).err().map(|_| Failure::Revoked)
            });
            let broken = async {
                tokio::select! {
                    biased;
                    failure = gone(&line) => failure,
                    failure = revoked => failure,
                }
            };
            flow.relay((Stream::Tunnel(stream), Stream::Tcp(application)), broken).await;
        }
        Err(cause) => flow.fail(&cause.into()),
    }
}

/// Where the pod is a waypoint's, waits for what may come to be bound to it in a moment; whether
/// the stream is wanted still.
async fn hear_of_binding(line: &Line, incoming: &mut Incoming) -> bool {
    let (worker, pod) = (&line.worker, &line.pod);
    let authority = incoming.connect.authority.clone();
    let taken = |mesh: &Snapshot| {
        let becomes = select::inbound(mesh, pod, (&authority).into());
        (becomes != Inbound::NotHere).then_some(())
    };
    if pod.instance_of.is_none() || taken(worker.view().snapshot()).is_some() {
        return true;
    }
    let Some(turn) = late::turn_for(worker, &authority) else { return true };
    tokio::select! {
        biased;
        // Where it is not bound in time, that is found again when it is judged.
        _ = late::until(worker, turn, taken) => true,
        () = incoming.abandoned() => false,
        () = line.cut.cancelled() => false,
    }
}

/// Connects to the application in the peer's name, for as long as the peer waits for it, and says
/// whose connection it is where the application wants to know.
async fn connect(
    line: &Line,
    incoming: &mut Incoming,
    delivery: Delivery,
) -> Result<TcpStream, Failure> {
    let vantage = Vantage::Agent(line.remote.ip());
    let (network, settings) = (&*line.worker.network, &line.worker.settings);
    let preface =
        delivery.headed.then(|| preface::of(line, &incoming.connect, delivery.destination));
    let dialling = async {
        let mut stream = socket::dial(delivery.address, &vantage, network, settings).await?;
        if let Some(preface) = preface {
            let gone = |cause| Failure::Connect(socket::reason(&cause));
            stream.write_all(&preface).await.map_err(gone)?;
        }
        Ok(stream)
    };
    tokio::select! {
        biased;
        failure = gone(line) => Err(failure),
        () = incoming.abandoned() => Err(Failure::ClientReset),
        dialled = dialling => dialled,
    }
}

/// Waits until the pod is gone.
async fn gone(line: &Line) -> Failure {
    line.cut.cancelled().await;
    Failure::PodGone
}

/// Who asks.
fn peer(line: &Line, view: &View, incoming: &Incoming) -> Peer {
    let snapshot = view.snapshot();
    let origin = Origin::Tunnel(Arc::clone(&line.identity));
    let peer = identify(line.remote, &origin, snapshot);
    let claimed = incoming.connect.client.as_ref();
    let who = (&*line.identity, line.remote.ip());
    Peer { client: claim::client(snapshot, &line.pod, who, claimed), ..peer }
}

/// Where a stream is delivered, and what its policies see as its destination; or how it is refused.
fn judge(
    line: &Line,
    view: &View,
    (connect, peer): (&Connect, &Peer),
    flow: &mut Flow,
) -> Result<Delivery, (Refusal, Failure)> {
    let asked = || connect.authority.to_string();
    let delivery = match select::inbound(view.snapshot(), &line.pod, (&connect.authority).into()) {
        Inbound::Deliver { address, destination, service, binding } => {
            if let Some(service) = service {
                flow.addressed(&service.name, view.snapshot());
            }
            Delivery { address, destination, headed: binding.is_some_and(|one| one.proxy) }
        }
        Inbound::NotHere => {
            let why = format!("ip mismatch: {} != {}", line.local.ip(), asked());
            return Err((Refusal::NotHere, Failure::NotHere(why)));
        }
        Inbound::Unknown => {
            let why = format!("unknown destination {}", asked());
            return Err((Refusal::Unavailable, Failure::UnknownDestination(why)));
        }
    };
    flow.line.destination.address = delivery.destination;
    match check(&view.guard(&line.pod), peer, delivery.destination) {
        Ok(()) => Ok(delivery),
        Err(rule) => Err((Refusal::Denied, Failure::Denied(rule))),
    }
}

/// How a stream is delivered.
#[derive(Clone, Copy)]
struct Delivery {
    /// Where the pod takes it.
    address: SocketAddr,
    /// What policies see as its destination.
    destination: SocketAddr,
    /// Whether a PROXY header goes before its bytes.
    headed: bool,
}

/// Judges; if it is denied, by the rule that is returned.
fn check(policies: &Policies, peer: &Peer, destination: SocketAddr) -> Result<(), Option<String>> {
    match policies.judge(&Subject { peer, destination, head: None }) {
        Verdict::Allow => Ok(()),
        Verdict::Deny { rule } => Err(rule),
    }
}

/// Notes who is on a connection.
fn note(flow: &mut Flow, line: &Line, peer: &Peer) {
    flow.security = Security::MutualTls;
    flow.from(peer.workload.as_ref());
    flow.to(Some(&line.pod));
    flow.line.source.identity = Some(line.identity.to_string());
    flow.line.destination.identity = Some(line.pod.identity.to_string());
    flow.line.hbone_address = Some(line.local);
    flow.line.hop = Some("hbone");
    flow.line.client = peer.client.as_ref().map(ToString::to_string);
}

/// The address that a stream asks for, if it is one.
fn asked(authority: &Authority) -> Option<SocketAddr> {
    match authority {
        Authority::Address(address) => Some(*address),
        Authority::Host(..) => None,
    }
}

/// Tells of a connection on which no stream came to be.
pub(super) fn refused(
    worker: &Rc<Worker>,
    pod: &Arc<Workload>,
    ends: (SocketAddr, SocketAddr),
    failure: &Failure,
) {
    let mut flow = Flow::new(worker, Direction::Inbound, ends, None);
    flow.to(Some(pod));
    flow.fail(failure);
}
