//! How an endpoint is reached, and reaching it.
//!
//! **Invariant:** connections that prove different identities, or speak for different clients, have
//! different ways; nothing that is kept by way is shared between them.

use std::{
    hash::{Hash, Hasher},
    io,
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
};

use tokio::time::timeout;

use crate::{
    hbone::{self, Connect, Io, Live},
    identity::Identities,
    mesh::{request::Peer, snapshot::Snapshot, spiffe::SpiffeId, workload::Transport},
};

use super::{
    Duty, Settings, limits::TUNNEL_TIMEOUT, network::Network, network::Vantage, respond::Fault,
    socket, stream::Stream, view::Endpoint, worker::Worker,
};

/// A way to an endpoint.
#[derive(Clone, Debug, Eq, PartialEq, Hash)]
pub(super) enum Way {
    /// Ordinary TCP.
    Plain(SocketAddr),
    /// HBONE.
    Tunnel(Arc<Tunnel>),
}

/// A way by HBONE.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Tunnel {
    /// The connection below.
    pub(super) key: hbone::Key,
    /// Where the stream goes.
    pub(super) address: SocketAddr,
    /// In whose name it is opened.
    pub(super) client: Option<Arc<SpiffeId>>,
    /// From where the connection below is dialled.
    pub(super) vantage: Vantage,
}

impl Way {
    /// Whether it still leads to what it led to, as far as the mesh tells.
    pub(super) fn still_leads(&self, before: &Snapshot, now: &Snapshot) -> bool {
        match self {
            Self::Plain(_) => true,
            Self::Tunnel(tunnel) => holds(&tunnel.key, before, now),
        }
    }

    /// The way to an endpoint: by HBONE as `source` where the endpoint speaks it and we have an
    /// identity, else by TCP. `client` is in whose name.
    pub(super) fn to(
        endpoint: &Endpoint,
        source: Option<&Arc<SpiffeId>>,
        client: Option<&Arc<SpiffeId>>,
    ) -> Self {
        let address = endpoint.address;
        let by_hbone = endpoint.workload.as_ref().filter(|pod| pod.transport == Transport::Hbone);
        let (Some(source), Some(workload)) = (source, by_hbone) else {
            return Self::Plain(address);
        };
        Self::Tunnel(Arc::new(Tunnel {
            key: hbone::Key {
                source: Arc::clone(source),
                expected: vec![Arc::clone(&workload.identity)],
                from: None,
                to: SocketAddr::new(address.ip(), hbone::PORT),
                workload: Arc::clone(&workload.uid),
            },
            address,
            client: client.cloned(),
            vantage: Vantage::Own,
        }))
    }

    /// The way to an endpoint as the client itself, a pod of this node: from its network, in its
    /// own name.
    pub(super) fn of_client(endpoint: &Endpoint, peer: &Peer) -> Self {
        match (Self::to(endpoint, peer.identity.as_ref(), None), &peer.workload) {
            (Self::Tunnel(tunnel), Some(pod)) => {
                let mut tunnel = Arc::unwrap_or_clone(tunnel);
                tunnel.key.from = Some(peer.address.ip());
                tunnel.vantage = Vantage::Pod(pod.name.clone());
                Self::Tunnel(Arc::new(tunnel))
            }
            _ => Self::Plain(endpoint.address),
        }
    }

    /// Connects.
    pub(super) async fn dial(&self, worker: &Worker) -> Result<Stream, Fault> {
        match self {
            Self::Plain(address) => {
                let (network, settings) = (&*worker.network, &worker.settings);
                let stream = socket::dial(*address, &Vantage::Own, network, settings).await?;
                Ok(Stream::Tcp(stream))
            }
            Self::Tunnel(tunnel) => tunnel.open(worker).await.map(Stream::Tunnel),
        }
    }
}

/// Ways are looked up by each request, so that only what tells most of them apart is hashed.
impl Hash for Tunnel {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.address.hash(state);
        self.client.as_ref().map(|client| &client.service_account).hash(state);
    }
}

impl Tunnel {
    /// Opens a stream.
    async fn open(&self, worker: &Worker) -> Result<hbone::Stream, Fault> {
        let identities = worker.identities.clone().ok_or(Fault::NoIdentity)?;
        let connect = Connect {
            client: self.client.clone(),
            via: matches!(worker.settings.duty, Duty::Waypoint(_)).then(|| WAYPOINT.to_owned()),
            ..Connect::to_address(self.address)
        };
        let dial = secure(identities, self.key.clone(), self.vantage.clone(), Around::of(worker));
        match timeout(TUNNEL_TIMEOUT, worker.tunnels.open(&self.key, &connect, dial)).await {
            Ok(opened) => opened.map_err(|cause| Fault::ConnectFailed(cause.to_string())),
            Err(_) => Err(Fault::ConnectTimeout),
        }
    }
}

/// Whether a connection below HTTP/2 still leads from the same pod to the same workload, of which
/// the same identity is expected.
pub(super) fn holds(key: &hbone::Key, before: &Snapshot, now: &Snapshot) -> bool {
    let there = now.workload_of_address(key.to.ip());
    let same_there = there.is_some_and(|workload| {
        workload.uid == key.workload && key.expected.contains(&workload.identity)
    });
    let uid = |snapshot: &Snapshot, address| {
        snapshot.workload_of_address(address).map(|workload| Arc::clone(&workload.uid))
    };
    same_there && key.from.is_none_or(|from| uid(before, from) == uid(now, from))
}

/// What dialling needs of a worker, which may be gone before it ends.
pub(super) struct Around {
    network: Arc<dyn Network>,
    settings: Settings,
    live: Rc<Live>,
}

impl Around {
    /// Of a worker.
    pub(super) fn of(worker: &Worker) -> Self {
        let (network, live) = (Arc::clone(&worker.network), Rc::clone(&worker.live));
        Self { network, settings: worker.settings.clone(), live }
    }
}

/// Dials the connection below HTTP/2, and agrees on TLS. It is cut when its peer is revoked.
pub(super) async fn secure(
    identities: Identities,
    key: hbone::Key,
    vantage: Vantage,
    Around { network, settings, live }: Around,
) -> Result<Box<dyn Io>, hbone::Error> {
    let credentials = identities.credentials(&key.source).await;
    let credentials = credentials.map_err(|cause| hbone::Error::Tls(cause.to_string()))?;
    let failed = |cause: io::Error| hbone::Error::Connect(socket::reason(&cause));
    let connecting = socket::connect(key.to, &vantage, &*network);
    let stream = match timeout(settings.connect_timeout, connecting).await {
        Ok(stream) => stream.map_err(failed)?,
        Err(_) => return Err(hbone::Error::Connect(BLOCKED.to_owned())),
    };
    let (stream, peer) = hbone::tls::connect(stream, &credentials, &key.expected).await?;
    Ok(Box::new(live.watch(stream, peer)))
}

/// What a timeout of HBONE's port usually means, in ztunnel's words.
pub(super) const BLOCKED: &str =
    "connection timed out, maybe a NetworkPolicy is blocking HBONE port 15008";

/// How a waypoint says what it is (Istio, `x-istio-source`).
const WAYPOINT: &str = "waypoint";
