//! A relay of TCP between clients and the API server, whose connections can be cut.
//!
//! A relay may listen in one network namespace and dial in another: each of its sockets belongs to
//! the namespace in which it was made.

use std::{
    fs::File,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    sync::{
        Arc, Mutex,
        mpsc::{SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use nix::sched::{CloneFlags, setns};
use socket2::SockRef;
use tokio::{
    io::copy_bidirectional_with_sizes,
    net::{TcpListener as Listener, TcpStream},
    runtime::Builder,
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::{Place, lock};
use crate::lab::Netns;

/// A relay; it ends, and all its connections with it, when it is dropped.
#[derive(Debug)]
pub(super) struct Relay {
    address: SocketAddr,
    line: Line,
    _alive: mpsc::Sender<()>,
}

/// What a relay and its connections are told.
#[derive(Clone, Debug)]
struct Line {
    /// Where to dial; connections are closed at once while there is none.
    target: Arc<Mutex<Option<SocketAddr>>>,
    /// Changes when every connection is to end.
    cuts: watch::Sender<u64>,
}

impl Relay {
    /// Starts one on listeners that are made inside a network namespace, if one is given, from
    /// where it dials too. It has no target yet.
    pub(super) fn start(
        netns: Option<&Path>,
        listen: impl FnOnce() -> Result<Vec<TcpListener>> + Send + 'static,
    ) -> Result<Self> {
        let line = Line { target: Arc::new(Mutex::new(None)), cuts: watch::channel(0).0 };
        let (alive, end) = mpsc::channel(1);
        let namespace = netns.map(File::open).transpose().context("open a network namespace")?;
        let (listening, address) = sync_channel(1);
        let own = line.clone();
        thread::spawn(move || {
            let listeners = enter(namespace).and_then(|()| listen());
            if let Err(error) = serve(listeners, &listening, &own, end) {
                // Nobody waits any more when the relay had begun.
                let _gone = listening.send(Err(error));
            }
        });
        Ok(Self { address: address.recv()??, line, _alive: alive })
    }

    /// Where clients dial it.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Dials an address for all connections from here on.
    pub(super) fn aim(&self, target: SocketAddr) {
        *lock(&self.line.target) = Some(target);
    }

    /// Resets every connection that is open.
    pub(super) fn cut(&self) {
        self.line.cuts.send_modify(|count| *count += 1);
    }
}

/// The relay that clients of a control plane dial.
pub(super) fn in_front(place: &Place, own: Ipv4Addr) -> Result<Relay> {
    let mut addresses = vec![SocketAddr::new(own.into(), 0)];
    if !place.addresses.is_empty() {
        addresses = place.addresses.iter().map(|ip| SocketAddr::new(*ip, super::PORT)).collect();
    }
    Relay::start(place.netns.as_deref(), move || {
        let listen =
            |at: &SocketAddr| TcpListener::bind(at).with_context(|| format!("listen on {at}"));
        addresses.iter().map(listen).collect()
    })
}

/// A relay that clients inside a namespace dial, and that dials outside of it.
pub(super) fn door_in(netns: &Netns) -> Result<Relay> {
    let listener = netns.within(|| Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?))?;
    Relay::start(None, move || Ok(vec![listener]))
}

fn enter(namespace: Option<File>) -> Result<()> {
    namespace.map_or(Ok(()), |file| Ok(setns(file, CloneFlags::CLONE_NEWNET)?))
}

fn serve(
    listeners: Result<Vec<TcpListener>>,
    listening: &SyncSender<Result<SocketAddr>>,
    line: &Line,
    mut end: mpsc::Receiver<()>,
) -> Result<()> {
    let listeners = listeners?;
    let address = listeners.first().context("a relay needs a listener")?.local_addr()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut doors = JoinSet::new();
        for listener in listeners {
            listener.set_nonblocking(true)?;
            doors.spawn(accept(Listener::from_std(listener)?, line.clone()));
        }
        listening.send(Ok(address))?;
        end.recv().await;
        Ok(())
    })
}

async fn accept(listener: Listener, line: Line) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        // Running out of descriptors would fail the test elsewhere, and says so there.
        let Ok((client, _)) = listener.accept().await else { continue };
        connections.spawn(relay(client, line.clone()));
    }
}

async fn relay(mut client: TcpStream, line: Line) {
    let mut cut = line.cuts.subscribe();
    let target = *lock(&line.target);
    let Some(target) = target else { return };
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    let _faster = (client.set_nodelay(true), server.set_nodelay(true));
    tokio::select! {
        // Either side may go as it likes.
        _ended = copy_bidirectional_with_sizes(&mut client, &mut server, BUFFER, BUFFER) => {}
        _changed = cut.changed() => {
            // Without lingering, closing is a reset.
            let _reset = SockRef::from(&client).set_linger(Some(Duration::ZERO));
        }
    }
}

const BUFFER: usize = 64 * 1024;
