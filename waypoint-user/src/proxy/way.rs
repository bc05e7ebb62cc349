//! How an endpoint is reached, and reaching it.
//!
//! **Invariant:** connections that prove different identities, or speak for different clients, have
//! different ways; nothing that is kept by way is shared between them.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::time::timeout;

use crate::{
    hbone::{self, Connect, Io},
    identity::Identities,
    mesh::{spiffe::SpiffeId, workload::Transport},
};

use super::{
    Settings, network::Network, network::Vantage, respond::Fault, socket, stream::Stream,
    view::Endpoint, worker::Worker,
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
#[derive(Clone, Debug, Eq, PartialEq, Hash)]
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

impl Tunnel {
    /// Opens a stream.
    async fn open(&self, worker: &Worker) -> Result<hbone::Stream, Fault> {
        let identities = worker.identities.clone().ok_or(Fault::NoIdentity)?;
        let connect = Connect { client: self.client.clone(), ..Connect::to_address(self.address) };
        let dial = secure(
            identities,
            self.key.clone(),
            self.vantage.clone(),
            (Arc::clone(&worker.network), worker.settings.clone()),
        );
        let opened = worker.tunnels.open(&self.key, &connect, dial).await;
        opened.map_err(|cause| Fault::ConnectFailed(cause.to_string()))
    }
}

/// Dials the connection below HTTP/2, and agrees on TLS.
async fn secure(
    identities: Identities,
    key: hbone::Key,
    vantage: Vantage,
    (network, settings): (Arc<dyn Network>, Settings),
) -> Result<Box<dyn Io>, hbone::Error> {
    let credentials = identities.credentials(&key.source).await;
    let credentials = credentials.map_err(|cause| hbone::Error::Tls(cause.to_string()))?;
    let failed = |cause: io::Error| hbone::Error::Connect(socket::reason(&cause));
    let connecting = socket::connect(key.to, &vantage, &*network);
    let stream = match timeout(settings.connect_timeout, connecting).await {
        Ok(stream) => stream.map_err(failed)?,
        Err(_) => return Err(hbone::Error::Connect(BLOCKED.to_owned())),
    };
    let (stream, _peer) = hbone::tls::connect(stream, &credentials, &key.expected).await?;
    Ok(Box::new(stream))
}

/// What a timeout of HBONE's port usually means, in ztunnel's words.
const BLOCKED: &str = "connection timed out, maybe a NetworkPolicy is blocking HBONE port 15008";
