//! The engine: from an accepted connection and its original destination to an endpoint and back.
//!
//! It gets a byte stream, who opened it and where it was going, and nothing else: how connections
//! are captured, and where the mesh comes from, is not its business.
//!
//! ```text
//! accept ─▶ destination ─▶ sniff ─┬─▶ http: judge ─▶ route ─▶ balance ─▶ forward ─┬─▶ record
//!                                 └─▶ tcp:  judge ──────────▶ balance ─▶ copy ────┘
//! ```
//!
//! Each worker is a pinned thread with a runtime, listeners, upstream connections and counters of
//! its own; workers share the Snapshot, and what TrafficPolicies limit for all of them together
//! (`regime`).
//!
//! **Invariant:** a request sees one Snapshot from start to end.
//! **Invariant:** a change of the mesh never cuts an established stream, unless its policies now
//! deny it.
//! **Invariant:** nothing that a peer sends or fails to read makes memory grow beyond the limits in
//! [`limits`].

use std::{io, net::SocketAddr, sync::Arc, thread, time::Duration};

use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    hbone,
    http2::Allowance,
    identity::Identities,
    mesh::{object::ObjectName, request::Origin, snapshot::Snapshot, spiffe::SpiffeId},
    telemetry::{access::AccessLog, metrics::Registry, traces::Tracing},
};

pub use self::hello::server_name;
pub use self::http::edit_fields;
pub use self::network::{Doors, LOCAL_DOOR, Network, OwnNetwork, Vantage};
use self::{
    gauges::Gauges,
    in_force::InForce,
    overload::Pressure,
    regime::Regimes,
    seats::Seats,
    worker::{Equipment, Worker, pin},
};

mod accept;
mod connection;
mod failure;
mod flow;
mod framed;
mod gauges;
mod head;
mod hello;
mod http;
mod in_force;
mod inbound;
mod inlet;
mod late;
mod lease;
pub mod limits;
pub mod listen;
mod network;
mod outlet;
mod overload;
mod peer;
mod proof;
mod record;
mod regime;
mod resolve;
mod respond;
mod seats;
mod silence;
mod sniff;
mod socket;
mod stream;
mod tables;
mod tcp;
mod terminate;
mod tunnel;
mod upstream;
mod view;
mod way;
mod ways;
mod worker;

/// What the engine is told once.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many workers there are; each needs listeners of its own.
    pub workers: usize,
    /// How long the first bytes of a connection are waited for where the port's protocol is not
    /// declared; then the server may speak first. Such servers wait as long for their connection.
    pub sniff_deadline: Duration,
    /// How long requests and connections may take to end after a drain began.
    pub drain_deadline: Duration,
    /// What it is there for.
    pub duty: Duty,
    /// The pod that this process runs in, if it is one's.
    pub pod: Option<ObjectName>,
    /// Who this process is toward endpoints that speak HBONE; without one, all are dialled by TCP.
    pub identity: Option<Arc<SpiffeId>>,
    /// How long connecting to an endpoint may take.
    pub connect_timeout: Duration,
    /// Connections from clients that one worker keeps at a time; more are reset.
    pub connections_max: usize,
    /// Connections of HBONE from peers that one worker keeps at a time; more are reset.
    pub tunnels_max: usize,
    /// Requests that one worker has under way at a time; more are answered with 503.
    pub requests_max: usize,
    /// Bytes of memory; while the process has more, requests are answered with 503. `None` means
    /// nine tenths of what its control group may have, if that is limited.
    pub memory_max: Option<u64>,
    /// Name servers that are asked for endpoints outside the cluster; none means the system's.
    pub name_servers: Vec<SocketAddr>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            workers: 1,
            sniff_deadline: Duration::from_millis(200),
            drain_deadline: Duration::from_secs(30),
            duty: Duty::Everything,
            pod: None,
            identity: None,
            connect_timeout: Duration::from_secs(5),
            connections_max: 16 * 1024,
            tunnels_max: 4096,
            requests_max: 16 * 1024,
            memory_max: None,
            name_servers: Vec::new(),
        }
    }
}

/// What an engine is there for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Duty {
    /// Every waypoint: whatever is captured is served here.
    #[default]
    Everything,
    /// One waypoint: what is bound to this Gateway, arriving by HBONE.
    Waypoint(ObjectName),
    /// A node: what its pods open is carried to waypoints, and what arrives for them by HBONE is
    /// delivered.
    Node(Node),
}

/// The node that an engine is there for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// How waypoints of this node are reached.
    pub local_hop: LocalHop,
}

/// How a waypoint on the client's own node is reached.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LocalHop {
    /// By a socket in its network namespace, without TLS; by HBONE where that fails.
    #[default]
    Unix,
    /// By HBONE, as from any other node.
    Hbone,
}

/// What the engine works with.
pub struct Surroundings {
    /// The mesh.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// The listeners of each worker.
    pub doors: Vec<Doors>,
    /// Where captured connections come from.
    pub origins: Origins,
    /// Where connections are opened from.
    pub network: Arc<dyn Network>,
    /// What identities are proven with.
    pub identities: Option<Identities>,
    /// Where to report to.
    pub telemetry: Telemetry,
}

/// Where the engine reports to.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// Metrics.
    pub registry: Registry,
    /// The access log.
    pub access_log: AccessLog,
    /// Spans of requests.
    pub tracing: Tracing,
}

/// Tells where an accepted connection came from, by its socket mark.
pub type Origins = Arc<dyn Fn(u32) -> Origin + Send + Sync>;

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    drain: CancellationToken,
    in_force: InForce,
    workers: Vec<oneshot::Receiver<Drained>>,
}

/// What a drain ended with.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Drained {
    /// Connections that ended by themselves.
    pub finished: usize,
    /// Connections that were cut at the deadline.
    pub cut: usize,
}

impl Engine {
    /// Starts the workers, each with its listeners.
    pub fn start(settings: Settings, surroundings: Surroundings) -> Result<Self, Error> {
        let Surroundings { snapshots, doors, origins, network, identities, telemetry } =
            surroundings;
        if doors.len() != settings.workers || settings.workers == 0 {
            return Err(Error::Listeners { sets: doors.len(), workers: settings.workers });
        }
        let drain = CancellationToken::new();
        let gauges = Gauges::register(&telemetry.registry, settings.workers);
        let seats = Seats::for_each(settings.workers, &telemetry.registry);
        let drain_all = drain.clone();
        let hbone = hbone::Settings::new(&telemetry.registry);
        let growth = Allowance::new(limits::HTTP2_WINDOW_GROWTH_BYTES_MAX);
        let in_force = InForce::new(settings.workers);
        let regimes = Arc::new(Regimes::new(&telemetry.registry));
        let tables =
            tables::follow(snapshots, settings.duty.clone()).map_err(Error::RoutesThread)?;
        let equipment = Equipment {
            settings,
            tables,
            origins,
            network,
            identities,
            hbone,
            growth,
            lookups: resolve::Counts::register(&telemetry.registry),
            mirrored: http::MirrorCounts::register(&telemetry.registry),
            telemetry,
            in_force: in_force.clone(),
            regimes,
            pressure: Pressure::default(),
            drain,
        };
        let mut workers = Vec::with_capacity(doors.len());
        let counts = gauges.into_iter().zip(seats);
        for (number, (doors, counts)) in doors.into_iter().zip(counts).enumerate() {
            let mut equipment = equipment.clone();
            // Its own, as each request looks at it, and looking takes a lock.
            equipment.drain = equipment.drain.child_token();
            let run = move || Worker::run(equipment, number, doors, counts);
            // Workers that were started before the one that fails end, as nobody could drain them.
            let started = start_worker(number, run).inspect_err(|_| drain_all.cancel())?;
            workers.push(started);
        }
        Ok(Self { drain: drain_all, in_force, workers })
    }

    /// The Snapshot that every worker goes by, with its routes compiled; nothing before the first.
    pub fn in_force(&self) -> watch::Receiver<Option<Arc<Snapshot>>> {
        self.in_force.of_all()
    }

    /// Stops accepting, lets requests and connections end until the deadline, and cuts what is
    /// left.
    pub async fn drain(mut self) -> Drained {
        self.drain.cancel();
        let mut sum = Drained::default();
        for worker in std::mem::take(&mut self.workers) {
            let drained = worker.await.unwrap_or_default();
            sum.finished += drained.finished;
            sum.cut += drained.cut;
        }
        sum
    }
}

/// An engine that is dropped drains, though nobody waits for it.
impl Drop for Engine {
    fn drop(&mut self) {
        self.drain.cancel();
    }
}

/// Starts one worker's thread.
fn start_worker(
    number: usize,
    run: impl FnOnce() -> io::Result<Drained> + Send + 'static,
) -> Result<oneshot::Receiver<Drained>, Error> {
    let (done, drained) = oneshot::channel();
    let run_pinned = move || {
        pin(number);
        match run() {
            Ok(counts) => {
                // Nobody may wait for the counts, for example after a failed start of another
                // worker.
                let _ = done.send(counts);
            }
            Err(cause) => tracing::error!(worker = number, %cause, "a worker could not start"),
        }
    };
    thread::Builder::new()
        .name(format!("worker-{number}"))
        .spawn(run_pinned)
        .map_err(|cause| Error::Thread { worker: number, cause })?;
    Ok(drained)
}

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The listeners are not those of the workers.
    #[error("there are {sets} sets of listeners for {workers} workers; each worker needs one")]
    Listeners {
        /// How many sets there are.
        sets: usize,
        /// How many workers.
        workers: usize,
    },
    /// The thread that compiles routes could not be started.
    #[error("there is no thread for routes: {0}")]
    RoutesThread(io::Error),
    /// A thread could not be started.
    #[error("worker {worker} has no thread: {cause}")]
    Thread {
        /// The worker.
        worker: usize,
        /// Why not.
        cause: io::Error,
    },
}

#[cfg(test)]
mod tests;
