//! A waypoint's pod, played by the test.

use std::{
    net::{IpAddr, SocketAddr},
    rc::Rc,
    sync::Arc,
};

use tokio::{net::TcpListener, sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{DAY, NodeLab, PATIENCE, account_of, address};
use crate::{
    hbone::{self, Incoming},
    mesh::spiffe::SpiffeId,
    telemetry::task,
};

/// A pod of the waypoint, which a test plays: it terminates HBONE.
pub(in crate::proxy::tests) struct Instance {
    /// Its address.
    pub(in crate::proxy::tests) address: IpAddr,
    streams: mpsc::UnboundedReceiver<Asked>,
}

/// A stream that somebody asks of a waypoint.
pub(in crate::proxy::tests) struct Asked {
    /// The stream.
    pub(in crate::proxy::tests) incoming: Incoming,
    /// Who asks.
    pub(in crate::proxy::tests) identity: Arc<SpiffeId>,
    /// From where.
    pub(in crate::proxy::tests) remote: SocketAddr,
    /// By which of the connections so far. Ports of ended ones are used again.
    pub(in crate::proxy::tests) connection: usize,
}

impl Instance {
    /// Listens at an address that nobody else has.
    pub(in crate::proxy::tests) async fn bind() -> (Self, TcpListener) {
        let address = address();
        let listener = TcpListener::bind((address, hbone::PORT)).await.unwrap();
        let (_, streams) = mpsc::unbounded_channel();
        (Self { address, streams }, listener)
    }

    /// Serves as the waypoint.
    pub(in crate::proxy::tests) fn serve(&mut self, lab: &NodeLab, listener: TcpListener) {
        let (sender, streams) = mpsc::unbounded_channel();
        self.streams = streams;
        let credentials = lab.authority.credentials(&account_of("waypoint"), DAY).unwrap();
        let credentials = Rc::new(credentials);
        task::spawn_local("waypoint", async move {
            for connection in 0.. {
                let Ok((stream, remote)) = listener.accept().await else { return };
                let (sender, credentials) = (sender.clone(), Rc::clone(&credentials));
                task::spawn_local("waypoint connection", async move {
                    let accepted = hbone::tls::accept(stream, &credentials).await;
                    let Ok((stream, peer)) = accepted else { return };
                    let each = |incoming| {
                        let identity = Arc::clone(&peer.identity);
                        let _ = sender.send(Asked { incoming, identity, remote, connection });
                    };
                    let settings = hbone::Settings::default();
                    let _ = hbone::serve(stream, &settings, CancellationToken::new(), each).await;
                });
            }
        });
    }

    /// The next stream.
    pub(in crate::proxy::tests) async fn next(&mut self) -> Asked {
        timeout(PATIENCE, self.streams.recv()).await.expect("nobody asks").unwrap()
    }
}
