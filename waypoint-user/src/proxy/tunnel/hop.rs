//! The hop from the client's node to whoever takes a connection.
//!
//! **Invariant:** a connection below HTTP/2 proves one pod's identity and is opened in that pod's
//! network; only the one to a waypoint of this node is not, whose kernel vouches for us instead.

use std::{
    net::{IpAddr, SocketAddr},
    rc::Rc,
    sync::Arc,
};

use tokio::{net::UnixStream, time::timeout};

use crate::{
    hbone::{self, Baggage, Connect, Forwarded, Io, Key},
    mesh::{spiffe::SpiffeId, workload::Workload},
    proxy::{
        Duty, LOCAL_DOOR, LocalHop,
        connection::Connection,
        failure::Failure,
        flow::Flow,
        limits::TUNNEL_TIMEOUT,
        network::{Network, Vantage},
        proof, socket,
        stream::Stream,
        view::{Endpoint, Family, InFlight},
        way::{self, Around},
        worker::Worker,
    },
    telemetry::metrics::traffic::Security,
};

use super::course::Plain;

/// A connection to whoever takes a client's.
pub(super) struct Reached {
    /// Its bytes.
    pub(super) stream: Stream,
    /// It counts as outstanding until this is dropped.
    pub(super) in_flight: Option<InFlight>,
    /// How it was made.
    hop: Hop,
}

/// How somebody was reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Hop {
    /// By TCP.
    Plain,
    /// Through a socket in the network of a pod of this node.
    Local,
    /// By HBONE.
    Tunnel,
}

/// Whom a stream is opened to.
pub(super) struct Target<'a> {
    /// Who terminates HBONE; where it is a waypoint, at the port of HBONE already.
    pub(super) endpoint: &'a Endpoint,
    /// Where the stream is to go from there.
    pub(super) authority: SocketAddr,
    /// The Service that was addressed.
    pub(super) host: Option<String>,
}

/// Opens a stream to a pod of a waypoint: through its own network when it is on this node.
pub(super) async fn to_waypoint(
    connection: &Rc<Connection>,
    pod: &Arc<Workload>,
    to: Target<'_>,
) -> Result<Reached, Failure> {
    if let Some(there) = local(&connection.worker, to.endpoint) {
        match by_socket(connection, pod, there, &to).await {
            Ok(stream) => return Ok(Reached::through(stream, Hop::Local, &to)),
            Err(hbone::Error::Connect(cause)) => {
                tracing::debug!(waypoint = %there.name, cause, "no local socket, by HBONE instead");
            }
            Err(other) => return Err(other.into()),
        }
    }
    by_hbone(connection, pod, to).await
}

/// Opens a stream by HBONE, from the pod's own network and in its name.
pub(super) async fn by_hbone(
    connection: &Rc<Connection>,
    pod: &Arc<Workload>,
    to: Target<'_>,
) -> Result<Reached, Failure> {
    let worker = &connection.worker;
    let Some(there) = &to.endpoint.workload else {
        return Err(Failure::UnknownDestination("the destination is no workload".to_owned()));
    };
    let key = Key {
        source: Arc::clone(&pod.identity),
        expected: vec![Arc::clone(&there.identity)],
        from: Some(own_address(connection, pod, to.endpoint.address.ip())),
        to: tunnel_address(to.endpoint),
        workload: Arc::clone(&there.uid),
    };
    let identities = worker.identities.clone();
    let identities = identities.ok_or_else(|| Failure::Identity("no identities".to_owned()))?;
    proof::of(worker, pod).await?;
    let vantage = Vantage::Pod(pod.name.clone());
    let dial = way::secure(identities, key.clone(), vantage, Around::of(worker));
    let head = head(connection, pod, &to, None);
    let stream = in_time(worker, worker.tunnels.open(&key, &head, dial)).await?;
    Ok(Reached::through(stream, Hop::Tunnel, &to))
}

/// Where an endpoint terminates HBONE.
fn tunnel_address(endpoint: &Endpoint) -> SocketAddr {
    SocketAddr::new(endpoint.address.ip(), hbone::PORT)
}

/// The pod's address of the family that is dialled.
fn own_address(connection: &Connection, pod: &Workload, dialled: IpAddr) -> IpAddr {
    let same = |one: &&IpAddr| Family::of(**one) == Family::of(dialled);
    pod.addresses.iter().find(same).copied().unwrap_or(connection.remote.ip())
}

/// Connects by TCP.
pub(super) async fn plainly(
    connection: &Rc<Connection>,
    flow: &mut Flow,
    to: Plain,
) -> Result<Reached, Failure> {
    let worker = &connection.worker;
    flow.line.hop = Some("tcp");
    flow.line.hbone_address = None;
    flow.line.destination.identity = None;
    flow.security = Security::Unknown;
    flow.to(to.workload.as_ref());
    let (network, settings) = (&*worker.network, &worker.settings);
    let stream = socket::dial(to.address, &to.vantage, network, settings).await?;
    Ok(Reached { stream: Stream::Tcp(stream), in_flight: None, hop: Hop::Plain })
}

/// Notes who is asked to take a connection, or was in vain.
pub(super) fn note_asked(flow: &mut Flow, endpoint: &Endpoint) {
    flow.line.hbone_address = Some(tunnel_address(endpoint));
    flow.line.destination.identity = identity(endpoint);
}

fn identity(endpoint: &Endpoint) -> Option<String> {
    endpoint.workload.as_ref().map(|there| there.identity.to_string())
}

impl Reached {
    /// A stream to an endpoint.
    fn through(stream: hbone::Stream, hop: Hop, to: &Target<'_>) -> Self {
        Self { stream: Stream::Tunnel(stream), in_flight: Some(to.endpoint.begin()), hop }
    }

    /// Notes how the endpoint was reached.
    pub(super) fn note(&self, flow: &mut Flow, pod: &Workload, endpoint: &Endpoint) {
        let (hop, security) = match self.hop {
            Hop::Plain => ("tcp", Security::Unknown),
            Hop::Local => ("unix", Security::None),
            Hop::Tunnel => ("hbone", Security::MutualTls),
        };
        flow.line.hop = Some(hop);
        flow.security = security;
        flow.line.source.identity = Some(pod.identity.to_string());
        flow.line.hbone_address = (self.hop == Hop::Tunnel).then(|| tunnel_address(endpoint));
        flow.to(endpoint.workload.as_ref());
        flow.line.destination.identity = identity(endpoint);
    }
}

/// The waypoint's pod, if it is on this node and is to be reached in its network.
fn local<'a>(worker: &Worker, endpoint: &'a Endpoint) -> Option<&'a Arc<Workload>> {
    let Duty::Node(node) = &worker.settings.duty else { return None };
    let there = endpoint.workload.as_ref()?;
    (node.local_hop == LocalHop::Unix && there.node == node.name).then_some(there)
}

/// Opens a stream through a socket in the waypoint's network.
async fn by_socket(
    connection: &Rc<Connection>,
    pod: &Arc<Workload>,
    there: &Arc<Workload>,
    to: &Target<'_>,
) -> Result<hbone::Stream, hbone::Error> {
    let worker = &connection.worker;
    let key = Key {
        source: Arc::clone(&pod.identity),
        expected: vec![Arc::clone(&there.identity)],
        from: None,
        // No port: nothing of this is TCP.
        to: SocketAddr::new(to.endpoint.address.ip(), 0),
        workload: Arc::clone(&there.uid),
    };
    let (network, there) = (Arc::clone(&worker.network), Arc::clone(there));
    let dial = async move { knock(&*network, &there) };
    let head = head(connection, pod, to, Some(&pod.identity));
    in_time(worker, worker.tunnels.open(&key, &head, dial)).await
}

/// Waits for a stream to be granted, but no longer than it may take.
async fn in_time(
    worker: &Worker,
    opening: impl Future<Output = Result<hbone::Stream, hbone::Error>>,
) -> Result<hbone::Stream, hbone::Error> {
    let patience = worker.settings.connect_timeout + TUNNEL_TIMEOUT;
    let late = |_| hbone::Error::Connect("the stream was not granted in time".to_owned());
    timeout(patience, opening).await.map_err(late)?
}

/// Connects to the socket of a waypoint.
fn knock(network: &dyn Network, there: &Workload) -> Result<Box<dyn Io>, hbone::Error> {
    let failed = |cause: std::io::Error| hbone::Error::Connect(socket::reason(&cause));
    let stream = network.unix(there, LOCAL_DOOR).map_err(failed)?;
    stream.set_nonblocking(true).map_err(failed)?;
    Ok(Box::new(UnixStream::from_std(stream).map_err(failed)?))
}

/// What opens a stream; `source` where the connection below does not prove who asks.
fn head(
    connection: &Connection,
    pod: &Workload,
    to: &Target<'_>,
    source: Option<&Arc<SpiffeId>>,
) -> Connect {
    Connect {
        forwarded: Some(Forwarded { client: connection.remote, host: to.host.clone() }),
        baggage: baggage(pod),
        traceparent: Some(hbone::trace::fresh()),
        source: source.cloned(),
        ..Connect::to_address(to.authority)
    }
}

/// What is told of a client.
fn baggage(pod: &Workload) -> Baggage {
    let kind = if pod.owner == pod.name.name { "pod" } else { "deployment" };
    Baggage {
        cluster: None,
        namespace: Some(pod.name.namespace.clone()),
        workload: Some((kind.to_owned(), pod.owner.clone())),
        service: Some(pod.canonical_service().to_owned()),
        revision: Some(pod.canonical_revision().to_owned()),
        region: None,
        zone: None,
    }
}
