//! A server of HBONE on a real socket, and pools that dial it; all on one thread.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    task::LocalSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    hbone::{Connect, Error, Incoming, Io, Key, Pool, Settings, Stream, serve},
    mesh::spiffe::SpiffeId,
    telemetry::task,
};

/// Runs a test on a current-thread runtime, with an end.
pub(super) fn run<F: Future<Output = ()>>(test: F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let limited = async { timeout(Duration::from_mins(1), test).await.expect("in a minute") };
    LocalSet::new().block_on(&runtime, limited);
}

/// Waits until something is true.
pub(super) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(10), waiting)
        .await
        .unwrap_or_else(|_| panic!("not in 10 s: {what}"));
}

/// A server; every stream that is asked for waits in `asked`.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) drain: CancellationToken,
    pub(super) accepted: Rc<Cell<usize>>,
    pub(super) ended: Rc<RefCell<Vec<Result<(), Error>>>>,
    pub(super) asked: tokio::sync::mpsc::UnboundedReceiver<Incoming>,
}

impl Server {
    pub(super) async fn start() -> Self {
        Self::with(Settings::default()).await
    }

    pub(super) async fn with(settings: Settings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (asks, asked) = tokio::sync::mpsc::unbounded_channel();
        let (drain, accepted) = (CancellationToken::new(), Rc::<Cell<usize>>::default());
        let ended = Rc::<RefCell<Vec<_>>>::default();
        let (draining, counted, ends) = (drain.clone(), accepted.clone(), ended.clone());
        task::spawn_local("server", async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                socket.set_nodelay(true).unwrap();
                counted.set(counted.get() + 1);
                let (settings, asks) = (settings.clone(), asks.clone());
                let (draining, ends) = (draining.clone(), ends.clone());
                task::spawn_local("connection", async move {
                    let each = move |incoming| drop(asks.send(incoming));
                    let ended = serve(socket, &settings, draining, each).await;
                    ends.borrow_mut().push(ended);
                });
            }
        });
        Self { address, drain, accepted, ended, asked }
    }

    /// The next stream, granted.
    pub(super) async fn granted(&mut self) -> Stream {
        self.asked.recv().await.unwrap().accept().unwrap()
    }

    /// A key of connections to it.
    pub(super) fn key(&self) -> Key {
        key_to(self.address)
    }

    /// A stream by a pool, both ends of it.
    pub(super) async fn pair(&mut self, pool: &Pool) -> (Stream, Stream) {
        let (key, connect) = (self.key(), Connect::to_address(self.address));
        let opening = pool.open(&key, &connect, dial(self.address));
        let (client, server) = tokio::join!(opening, self.granted());
        (client.unwrap(), server)
    }
}

pub(super) fn key_to(address: SocketAddr) -> Key {
    let identity = |account| Arc::new(SpiffeId::new("cluster.local", "default", account));
    Key {
        source: identity("client"),
        expected: vec![identity("server")],
        from: None,
        to: address,
        workload: "cluster//Pod/default/server".into(),
    }
}

pub(super) async fn dial(address: SocketAddr) -> Result<Box<dyn Io>, Error> {
    let failed = |cause: std::io::Error| Error::Connect(cause.to_string());
    let socket = TcpStream::connect(address).await.map_err(failed)?;
    socket.set_nodelay(true).unwrap();
    Ok(Box::new(socket))
}
