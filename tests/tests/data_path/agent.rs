//! A data path with the smallest engine there can be: it tells each connection what it knows of it.

use std::{
    io::Write as _,
    net::TcpListener,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tokio::{runtime::Runtime, sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use waypoint_user::{
    kernel::{self, DataPath, Origins, Settings},
    mesh::{request::Origin, snapshot::Snapshot},
    telemetry::{metrics::Registry, readiness::Readiness},
};

/// A running data path; the host is as before when it is dropped.
pub(crate) struct Agent {
    runtime: Runtime,
    settings: Settings,
    number: u8,
    is_kept: bool,
    pub(crate) registry: Registry,
    pub(crate) readiness: Readiness,
    snapshots: watch::Sender<Arc<Snapshot>>,
    shutdown: CancellationToken,
    running: Option<JoinHandle<Result<kernel::Ended, kernel::Error>>>,
}

impl Agent {
    /// Starts one; `number` tells it from every other on this host.
    pub(crate) fn start(number: u8, snapshot: Snapshot) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let settings = settings(number);
        let registry = Registry::new();
        let readiness = Readiness::new();
        let gate = readiness.gate("data path");
        let (snapshots, receiver) = watch::channel(Arc::new(snapshot));
        let shutdown = CancellationToken::new();
        let prepared = runtime.block_on(DataPath::prepare(settings.clone(), &registry));
        let mut data_path = prepared.expect("a data path");
        for listener in data_path.listeners().into_iter().flat_map(|each| each.captured) {
            serve(listener, data_path.origins());
        }
        let run = data_path.run(receiver, gate, shutdown.clone());
        let running = Some(runtime.spawn(run));
        let is_kept = false;
        let agent = Self {
            runtime,
            settings,
            number,
            is_kept,
            registry,
            readiness,
            snapshots,
            shutdown,
            running,
        };
        agent.wait("readiness", |agent| agent.readiness.is_ready());
        agent
    }

    /// Starts the next process in the place of one that [stopped](Self::stop).
    pub(crate) fn restart(mut self, snapshot: Snapshot) -> Self {
        self.is_kept = true;
        Self::start(self.number, snapshot)
    }

    /// Tries to prepare a data path of another kind in the same place.
    pub(crate) fn try_another(&self) -> Result<DataPath, kernel::Error> {
        let settings = Settings { inbound: !self.settings.inbound, ..self.settings.clone() };
        self.runtime.block_on(DataPath::prepare(settings, &Registry::new()))
    }

    /// Publishes a Snapshot.
    pub(crate) fn publish(&self, snapshot: Snapshot) {
        self.snapshots.send_replace(Arc::new(snapshot));
    }

    /// A number out of the metrics.
    pub(crate) fn metric(&self, series: &str) -> u64 {
        let text = self.registry.encode();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0, |value| value.trim().parse().expect("a number"))
    }

    /// How many packets the programs counted for a reason.
    pub(crate) fn packets(&self, reason: &str) -> u64 {
        self.metric(&format!("waypoint_kernel_packets_total{{reason=\"{reason}\"}}"))
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
            self.runtime.block_on(running).expect("no panic").expect("a clean end");
        }
    }

    /// Where its pins are.
    pub(crate) fn pin_dir(&self) -> &Path {
        &self.settings.pin_dir
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.stop();
        }
        self.shutdown.cancel();
        if let Some(running) = self.running.take() {
            let _ = self.runtime.block_on(running);
        }
        if self.is_kept {
            return;
        }
        let removed = kernel::cleanup(&self.settings);
        if !thread::panicking() {
            removed.expect("a clean host");
        }
    }
}

/// Settings that no other test has.
pub(crate) fn settings(number: u8) -> Settings {
    Settings {
        pin_dir: PathBuf::from(format!("/sys/fs/bpf/wpt-a{number}")),
        run_dir: PathBuf::from(format!("/run/wpt-a{number}")),
        link: format!("wpta{number}d"),
        workers: 2,
        ..Settings::default()
    }
}

fn serve(listener: TcpListener, origins: Origins) {
    listener.set_nonblocking(false).expect("a socket");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mark = socket2::SockRef::from(&stream).mark().expect("a mark");
            let origin = match origins(mark) {
                Origin::Probe => continue,
                Origin::Pod(name) => name.to_string(),
                Origin::Tunnel(_) | Origin::Unknown => "unknown".to_owned(),
            };
            let (local, peer) = (stream.local_addr(), stream.peer_addr());
            let (local, peer) = (local.expect("an address"), peer.expect("an address"));
            let _ = write!(&stream, "{origin} {} to {local}", peer.ip());
        }
    });
}

const PATIENCE: Duration = Duration::from_secs(10);
