//! A data path on a node, with an engine that hands each tunnel to the pod's application in the
//! name of its peer.

use std::{
    io::{self, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use waypoint_user::{
    kernel::{self, DataPath, Settings, Sockets},
    mesh::snapshot::Snapshot,
    telemetry::{
        metrics::Registry,
        readiness::{Gate, Readiness},
    },
};

use crate::node::{Node, named, run_in};

/// A running data path; what it made is gone when it is dropped.
pub(crate) struct Agent {
    node: String,
    settings: Settings,
    registry: Registry,
    readiness: Readiness,
    snapshots: watch::Sender<Arc<Snapshot>>,
    shutdown: CancellationToken,
    pub(crate) sockets: Sockets,
    running: Option<JoinHandle<()>>,
}

/// What the thread of a data path is started with.
struct Start {
    node: String,
    settings: Settings,
    registry: Registry,
    gate: Gate,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    shutdown: CancellationToken,
    sockets: mpsc::Sender<Sockets>,
}

impl Agent {
    /// Starts one that serves the node's pods.
    pub(crate) fn start(node: &Node, snapshot: Snapshot) -> Self {
        Self::start_with(node, snapshot, |settings| settings)
    }

    /// Starts one with other settings.
    pub(crate) fn start_with(
        node: &Node,
        snapshot: Snapshot,
        change: impl FnOnce(Settings) -> Settings,
    ) -> Self {
        let settings = change(Settings {
            pin_dir: PathBuf::from(format!("/sys/fs/bpf/{}", node.name)),
            node: Some(HERE.to_owned()),
            inbound: true,
            workers: 2,
            ..node.settings("tunnel")
        });
        let (registry, readiness) = (Registry::new(), Readiness::new());
        let (snapshots, receiver) = watch::channel(Arc::new(snapshot));
        let (sender, sockets) = mpsc::channel();
        let shutdown = CancellationToken::new();
        let start = Start {
            node: node.name.clone(),
            settings: settings.clone(),
            registry: registry.clone(),
            gate: readiness.gate("data path"),
            snapshots: receiver,
            shutdown: shutdown.clone(),
            sockets: sender,
        };
        let running = Some(thread::spawn(|| start.run()));
        let (node, sockets) = (node.name.clone(), sockets.recv().expect("a data path"));
        let agent =
            Self { node, settings, registry, readiness, snapshots, shutdown, sockets, running };
        agent.wait("readiness", |agent| agent.readiness.is_ready());
        agent
    }

    /// Publishes a Snapshot.
    pub(crate) fn publish(&self, snapshot: Snapshot) {
        self.snapshots.send_replace(Arc::new(snapshot));
    }

    /// How many packets the programs counted for a reason.
    pub(crate) fn packets(&self, reason: &str) -> u64 {
        self.metric(&format!("waypoint_kernel_packets_total{{reason=\"{reason}\"}}"))
    }

    /// A number out of the metrics.
    pub(crate) fn metric(&self, series: &str) -> u64 {
        let text = self.registry.encode();
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map_or(0, |value| value.trim().parse().expect("a number"))
    }

    /// Waits for a condition.
    pub(crate) fn wait(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            let closed = self.readiness.closed();
            assert!(Instant::now() < deadline, "no {what}; closed gates: {closed:?}");
            thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// Ends the process's part and leaves what is pinned.
    pub(crate) fn stop(&mut self) {
        self.shutdown.cancel();
        if let Some(running) = self.running.take() {
            running.join().expect("a clean end");
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.shutdown.cancel();
        let ended = self.running.take().map_or(Ok(()), JoinHandle::join);
        let removed = named(&self.node).run(|| kernel::cleanup(&self.settings));
        if !thread::panicking() {
            ended.expect("a clean end");
            removed.expect("the node").expect("a clean host");
        }
    }
}

impl Start {
    fn run(self) {
        run_in(&self.node.clone(), async || {
            let prepared = DataPath::prepare(self.settings, &self.registry).await;
            let mut data_path = prepared.expect("a data path");
            let sockets = data_path.sockets();
            for listeners in data_path.listeners() {
                for listener in listeners.inbound {
                    serve(listener, sockets.clone());
                }
                for listener in listeners.captured {
                    thread::spawn(move || close_each(&listener));
                }
            }
            self.sockets.send(sockets).expect("a test that waits");
            data_path.run(self.snapshots, self.gate, self.shutdown).await.expect("a clean end");
        });
    }
}

/// Closes the probe's connections, and whatever else was captured.
fn close_each(listener: &TcpListener) {
    listener.set_nonblocking(false).expect("a socket");
    listener.incoming().map_while(Result::ok).for_each(drop);
}

fn serve(listener: TcpListener, sockets: Sockets) {
    listener.set_nonblocking(false).expect("a socket");
    thread::spawn(move || {
        for tunnel in listener.incoming().map_while(Result::ok) {
            let sockets = sockets.clone();
            thread::spawn(move || {
                if let Err(cause) = deliver(&tunnel, &sockets) {
                    let _ = write!(&tunnel, "no application: {cause}");
                }
            });
        }
    });
}

/// Passes on what the application says to the tunnel's peer.
fn deliver(mut tunnel: &TcpStream, sockets: &Sockets) -> io::Result<()> {
    let (peer, own) = (tunnel.peer_addr()?, tunnel.local_addr()?);
    let socket = sockets.in_agent(own.is_ipv4())?;
    socket.bind(&SocketAddr::new(peer.ip(), 0).into())?;
    socket.set_nonblocking(false)?;
    socket.connect_timeout(&SocketAddr::new(own.ip(), APPLICATION).into(), PATIENCE)?;
    let mut application: TcpStream = socket.into();
    io::copy(&mut application, &mut tunnel)?;
    Ok(())
}

/// The node that tests are on.
pub(crate) const HERE: &str = "here";
/// Where applications listen.
pub(crate) const APPLICATION: u16 = 8080;
const PATIENCE: Duration = Duration::from_secs(10);
